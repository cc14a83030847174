package proxy_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/proxy"
	"github.com/wedge-lb/wedge/edge/route"
)

// reply is a client that remembers its answer.
type reply struct {
	status  int
	fields  http1.Fields
	body    bytes.Buffer
	ended   bool
	cut     bool
	interim []int
}

func (r *reply) Inform(status int, _ http1.Fields) error {
	r.interim = append(r.interim, status)
	return nil
}
func (r *reply) Head(status int, f http1.Fields, _ int64) error {
	r.status = status
	r.fields = append(r.fields[:0], f...)
	return nil
}
func (r *reply) Write(p []byte) (int, error) { return r.body.Write(p) }
func (r *reply) Flush() error                { return nil }
func (r *reply) End(http1.Fields) error      { r.ended = true; return nil }
func (r *reply) Cut()                        { r.cut = true }
func (r *reply) Switch([]byte, http1.Fields) (io.ReadWriteCloser, error) {
	return nil, errors.New("not in this test")
}

func (r *reply) get(name string) string {
	v, _ := r.fields.Get(name)
	return string(v)
}

// backends answer by the function of their id; what they were asked is remembered.
type backends struct {
	answer map[string]func(r *http1.Request, a *http1.Response) error
	asked  []string
	last   http1.Fields
	client netip.AddrPort
}

func (u *backends) Do(b *balance.Backend, r *http1.Request, a *http1.Response) error {
	u.asked = append(u.asked, b.ID)
	u.last = append(u.last[:0], r.Fields...)
	u.client = r.Client
	return u.answer[b.ID](r, a)
}

type body struct{ io.Reader }

func (body) Close() error { return nil }

func ok(text string) func(*http1.Request, *http1.Response) error {
	return func(r *http1.Request, a *http1.Response) error {
		a.Status, a.Length, a.Body = 200, int64(len(text)), body{strings.NewReader(text)}
		return nil
	}
}

func fails(kind balance.Kind, sent bool) func(*http1.Request, *http1.Response) error {
	return func(*http1.Request, *http1.Response) error {
		return &balance.Failure{Kind: kind, Sent: sent, Err: errors.New("secret of the inside")}
	}
}

func badBody(err error) func(*http1.Request, *http1.Response) error {
	return func(*http1.Request, *http1.Response) error {
		return &balance.Failure{Kind: balance.BadRequestBody, Sent: true, Err: err}
	}
}

// picks is a Picker made of a function.
type picks func(r *balance.Request, s *balance.Set, d *balance.Decision) error

func (f picks) Pick(r *balance.Request, s *balance.Set, d *balance.Decision) error { return f(r, s, d) }

// first picks the backend of the id.
func first(id string) picks {
	return func(_ *balance.Request, s *balance.Set, d *balance.Decision) error {
		d.Backend = s.Find(id)
		return nil
	}
}

type bench struct {
	proxy    *proxy.Proxy
	pool     *balance.Pool
	backends *backends
}

func setUp(t testing.TB, p balance.Picker, edit func(*proxy.Route, *proxy.Generation)) *bench {
	b := &bench{pool: balance.NewPool("p"), backends: &backends{answer: map[string]func(*http1.Request, *http1.Response) error{
		"a": ok("from a"), "b": ok("from b"), "c": ok("from c"),
	}}}
	var specs []balance.Spec
	for _, id := range []string{"a", "b", "c"} {
		specs = append(specs, balance.Spec{ID: id, Address: "127.0.0.1:1", Scheme: "http", Weight: 1})
	}
	b.pool.Update(specs)
	r := proxy.Route{Name: "r", Site: "s", Pool: b.pool, Picker: p, Retry: proxy.Retry{Attempts: 3, Budget: 20, On: proxy.OnConnectError}}
	g := &proxy.Generation{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	if edit != nil {
		edit(&r, g)
	}
	table, err := route.New([]route.Site[proxy.Route]{{Name: "s", Hosts: []string{"shop.test"},
		Routes: []route.Route[proxy.Route]{{Name: "r", Target: r}}}})
	require.NoError(t, err)
	g.Sites = table
	b.proxy = proxy.New(proxy.Options{Upstream: b.backends, Random: func() uint64 { return 1 << 40 }}, g)
	return b
}

func request(x *proxy.Exchange, fields ...string) {
	x.Reset()
	x.Protocol, x.Peer = proxy.H1, netip.MustParseAddrPort("192.0.2.7:4000")
	r := &x.Request
	r.Method, r.Scheme, r.Authority, r.Path = []byte("GET"), []byte("http"), []byte("shop.test"), []byte("/x")
	for i := 0; i < len(fields); i += 2 {
		r.Fields.Add([]byte(fields[i]), []byte(fields[i+1]))
	}
}

func (b *bench) ask(fields ...string) *reply {
	x, out := new(proxy.Exchange), new(reply)
	request(x, fields...)
	x.Reply = out
	b.proxy.Serve(x)
	return out
}

func TestRetriesOnlyWhatIsSafe(t *testing.T) {
	for name, tt := range map[string]struct {
		fail   func(*http1.Request, *http1.Response) error
		status int
		asked  int
	}{
		"refused before a byte was written": {fails(balance.ConnectFailed, false), 200, 2},
		"reset after the request was sent":  {fails(balance.Reset, true), 502, 1},
		"no answer in time":                 {fails(balance.TimedOut, true), 504, 1},
		"an answer that is none":            {fails(balance.BadAnswer, true), 502, 1},
		"no connection free":                {fails(balance.Busy, false), 200, 2},
		"the client's body is malformed":    {badBody(io.ErrUnexpectedEOF), 400, 1},
		"the client's body is too slow":     {badBody(fmt.Errorf("read: %w", os.ErrDeadlineExceeded)), 408, 1},
		"its trailers are too large":        {badBody(&http1.Error{Status: 431, Reason: "trailers"}), 431, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, first("a"), nil)
			b.backends.answer["a"] = tt.fail
			got := b.ask()
			assert.Equal(t, tt.status, got.status)
			assert.Len(t, b.backends.asked, tt.asked)
			assert.NotContains(t, got.body.String(), "secret")
			assert.True(t, got.ended)
			for i := range b.pool.Status() {
				assert.Zero(t, b.pool.Status()[i].InFlight)
			}
		})
	}
}

func TestABusyBackendIs503WithRetryAfter(t *testing.T) {
	b := setUp(t, first("a"), func(r *proxy.Route, _ *proxy.Generation) { r.Retry.Attempts = 1 })
	b.backends.answer["a"] = fails(balance.Busy, false)
	got := b.ask()
	assert.Equal(t, 503, got.status)
	assert.Equal(t, "1", got.get("retry-after"))
}

func TestEachRetryGoesElsewhereUntilNoneIsLeft(t *testing.T) {
	b := setUp(t, first("a"), func(r *proxy.Route, _ *proxy.Generation) { r.Retry.Attempts = 10 })
	for id := range b.backends.answer {
		b.backends.answer[id] = fails(balance.ConnectFailed, false)
	}
	got := b.ask()
	assert.Equal(t, 502, got.status)
	assert.ElementsMatch(t, []string{"a", "b", "c"}, b.backends.asked)
}

func TestSparesComeFirst(t *testing.T) {
	b := setUp(t, picks(func(_ *balance.Request, s *balance.Set, d *balance.Decision) error {
		d.Backend, d.Spares = s.Find("a"), append(d.Spares, s.Find("a"), s.Find("c"))
		return nil
	}), nil)
	b.backends.answer["a"] = fails(balance.ConnectFailed, false)
	got := b.ask()
	assert.Equal(t, "from c", got.body.String())
	assert.Equal(t, []string{"a", "c"}, b.backends.asked)
}

func TestAPickThatCannotStandIsReplaced(t *testing.T) {
	down := picks(func(_ *balance.Request, s *balance.Set, d *balance.Decision) error {
		d.Backend = s.Find("b")
		return nil
	})
	for name, p := range map[string]balance.Picker{
		"no strategy": nil,
		"a fault":     picks(func(*balance.Request, *balance.Set, *balance.Decision) error { return errors.New("trap") }),
		"no backend":  picks(func(*balance.Request, *balance.Set, *balance.Decision) error { return nil }),
		"abstained": picks(func(_ *balance.Request, _ *balance.Set, d *balance.Decision) error {
			d.Verdict = balance.Abstain
			return nil
		}),
		"a backend that is down": down,
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, p, nil)
			require.NoError(t, b.pool.SetUp("b", false))
			got := b.ask()
			assert.Equal(t, 200, got.status)
			assert.NotEqual(t, "from b", got.body.String())
		})
	}
}

func TestNoBackendIs503WithRetryAfter(t *testing.T) {
	b := setUp(t, nil, nil)
	for _, id := range []string{"a", "b", "c"} {
		require.NoError(t, b.pool.SetUp(id, false))
	}
	got := b.ask("Accept", "application/json")
	assert.Equal(t, 503, got.status)
	assert.Equal(t, "1", got.get("retry-after"))
	assert.JSONEq(t, fmt.Sprintf(`{"status":503,"error":"Service Unavailable","request_id":%q}`,
		between(got.body.String(), `"request_id":"`, `"`)), got.body.String())
}

func between(s, before, after string) string {
	_, s, _ = strings.Cut(s, before)
	s, _, _ = strings.Cut(s, after)
	return s
}

func TestAStrategyCanRejectAndRespond(t *testing.T) {
	b := setUp(t, picks(func(r *balance.Request, _ *balance.Set, d *balance.Decision) error {
		d.Header = append(d.Header, balance.HeaderLine{Name: []byte("X-Why"), Value: []byte("tenant")})
		d.Verdict, d.Status = balance.Reject, 429
		if string(r.Path) == "/x" {
			d.Verdict, d.Status, d.Body = balance.Respond, 418, append(d.Body, "teapot"...)
			d.ContentType = []byte("text/x-tea")
		}
		return nil
	}), nil)
	got := b.ask()
	assert.Equal(t, 418, got.status)
	assert.Equal(t, "teapot", got.body.String())
	assert.Equal(t, "text/x-tea", got.get("content-type"))
	assert.Equal(t, "tenant", got.get("x-why"))
	assert.Empty(t, b.backends.asked)
}

func TestAnAnswerThatBreaksOffIsCut(t *testing.T) {
	b := setUp(t, first("a"), nil)
	b.backends.answer["a"] = func(_ *http1.Request, a *http1.Response) error {
		broken := io.MultiReader(strings.NewReader("part"), iotestErr{})
		a.Status, a.Length, a.Body = 200, 100, body{broken}
		return nil
	}
	got := b.ask()
	assert.True(t, got.cut)
	assert.False(t, got.ended)
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAPanicCostsOneRequest(t *testing.T) {
	b := setUp(t, first("a"), nil)
	b.backends.answer["a"] = func(*http1.Request, *http1.Response) error { panic("bug") }
	assert.Equal(t, 500, b.ask().status)
	assert.Zero(t, b.pool.Status()[0].InFlight)
	b.backends.answer["a"] = ok("fine")
	assert.Equal(t, 200, b.ask().status)
}

func TestTheClientAddressComesFromTrustedProxiesOnly(t *testing.T) {
	for name, tt := range map[string]struct{ peer, chain, want, forwarded string }{
		"no proxy":                     {"192.0.2.7", "", "192.0.2.7", "192.0.2.7"},
		"a stranger's word":            {"192.0.2.7", "1.1.1.1", "192.0.2.7", "192.0.2.7"},
		"a trusted proxy's word":       {"10.0.0.1", "1.1.1.1", "1.1.1.1", "1.1.1.1, 10.0.0.1"},
		"the last that is not trusted": {"10.0.0.1", "9.9.9.9, 1.1.1.1, 10.0.0.9", "1.1.1.1", "9.9.9.9, 1.1.1.1, 10.0.0.9, 10.0.0.1"},
		"with a port":                  {"10.0.0.1", "[2001:db8::1]:80", "2001:db8::1", "[2001:db8::1]:80, 10.0.0.1"},
		"a word that is no address":    {"10.0.0.1", "unknown", "10.0.0.1", "unknown, 10.0.0.1"},
		"an IPv4 address in IPv6":      {"::ffff:192.0.2.7", "", "192.0.2.7", "192.0.2.7"},
	} {
		t.Run(name, func(t *testing.T) {
			var seen netip.Addr
			b := setUp(t, picks(func(r *balance.Request, s *balance.Set, d *balance.Decision) error {
				seen = r.ClientIP
				d.Backend = s.Find("a")
				return nil
			}), nil)
			x, out := new(proxy.Exchange), new(reply)
			request(x)
			if tt.chain != "" {
				request(x, "X-Forwarded-For", tt.chain)
			}
			x.Peer, x.Reply = netip.AddrPortFrom(netip.MustParseAddr(tt.peer), 1), out
			b.proxy.Serve(x)
			assert.Equal(t, tt.want, seen.String())
			got, _ := b.backends.last.Get("x-forwarded-for")
			assert.Equal(t, tt.forwarded, string(got))
		})
	}
}

// A proxy may append a line of its own behind what the client sent: together they are one list.
func TestForwardingFieldsOnSeveralLinesAreOneList(t *testing.T) {
	var seen netip.Addr
	b := setUp(t, picks(func(r *balance.Request, s *balance.Set, d *balance.Decision) error {
		seen, d.Backend = r.ClientIP, s.Find("a")
		return nil
	}), nil)
	x := new(proxy.Exchange)
	request(x, "X-Forwarded-For", "6.6.6.6", "X-Forwarded-Proto", "gopher", "Accept", "*/*",
		"x-forwarded-for", "9.9.9.9", "X-Forwarded-Proto", "https", "Via", "1.1 one", "Via", "1.1 two")
	x.Peer, x.Reply = netip.MustParseAddrPort("10.0.0.1:1"), new(reply)
	b.proxy.Serve(x)
	assert.Equal(t, "9.9.9.9", seen.String())
	for name, want := range map[string]string{
		"x-forwarded-for": "6.6.6.6, 9.9.9.9, 10.0.0.1", "x-forwarded-proto": "https",
		"via": "1.1 one, 1.1 two, 1.1 wedge",
	} {
		got, _ := b.backends.last.Get(name)
		assert.Equal(t, want, string(got), name)
	}
}

func TestARouteTimeLimitIsToTheHead(t *testing.T) {
	b := setUp(t, first("a"), func(r *proxy.Route, _ *proxy.Generation) { r.Timeout = 20 * time.Millisecond })
	b.backends.answer["a"] = func(r *http1.Request, _ *http1.Response) error {
		interrupted := make(interrupt)
		if r.Abort.Attach(interrupted) {
			<-interrupted
		}
		return &balance.Failure{Kind: balance.ClientGone, Sent: true, Err: errors.New("aborted")}
	}
	assert.Equal(t, 504, b.ask().status)
}

type interrupt chan struct{}

func (i interrupt) Interrupt() { close(i) }

type vouch map[string]bool

func (v vouch) Serves(host string) bool { return v[host] }

func TestAGuardThatChangesIsAskedAgain(t *testing.T) {
	b := setUp(t, first("a"), nil)
	x := new(proxy.Exchange)
	for i, tt := range []struct {
		guard proxy.Guard
		want  int
	}{{&vouch{"shop.test": true}, 200}, {&vouch{}, 421}, {nil, 200}, {&vouch{}, 421}} {
		out := new(reply)
		request(x)
		x.Secure, x.Guard, x.Reply = true, tt.guard, out
		b.proxy.Serve(x)
		assert.Equal(t, tt.want, out.status, i)
	}
}

func TestAnExchangeDoesNotAllocate(t *testing.T) {
	b, x, out := steady(t)
	assert.Zero(t, testing.AllocsPerRun(100, func() { serveOnce(b, x, out) }))
}

func BenchmarkExchange(bm *testing.B) {
	b, x, out := steady(bm)
	bm.ReportAllocs()
	for bm.Loop() {
		serveOnce(b, x, out)
	}
}

// steady is a proxy whose ends do nothing and allocate nothing.
func steady(t testing.TB) (*bench, *proxy.Exchange, *sink) {
	b := setUp(t, first("a"), nil)
	page := &pageBody{text: []byte("hello")}
	b.backends.answer["a"] = func(_ *http1.Request, a *http1.Response) error {
		page.read = false
		a.Status, a.Length, a.Body = 200, 5, page
		a.Fields.Add(path, value)
		return nil
	}
	x, out := new(proxy.Exchange), new(sink)
	for range 5 {
		serveOnce(b, x, out)
	}
	return b, x, out
}

var fieldNames = [][]byte{[]byte("Accept"), []byte("User-Agent"), []byte("Accept-Language"), []byte("Referer")}

func serveOnce(b *bench, x *proxy.Exchange, out *sink) {
	b.backends.asked = b.backends.asked[:0]
	x.Reset()
	x.Protocol, x.Peer, x.Reply = proxy.H1, peer, out
	r := &x.Request
	r.Method, r.Scheme, r.Authority, r.Path = get, http, host, path
	for _, n := range fieldNames {
		r.Fields.Add(n, value)
	}
	b.proxy.Serve(x)
}

var (
	peer                         = netip.MustParseAddrPort("192.0.2.7:4000")
	get, http, host, path, value = []byte("GET"), []byte("http"), []byte("shop.test"), []byte("/x"), []byte("some value")
)

type pageBody struct {
	text []byte
	read bool
}

func (p *pageBody) Read(b []byte) (int, error) {
	if p.read {
		return 0, io.EOF
	}
	p.read = true
	return copy(b, p.text), io.EOF
}
func (p *pageBody) Close() error { return nil }

// sink is a reply that forgets.
type sink struct{ reply }

func (s *sink) Head(int, http1.Fields, int64) error { return nil }
func (s *sink) Write(p []byte) (int, error)         { return len(p), nil }
