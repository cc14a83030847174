package proxy_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/proxy"
)

// seenFrom gives the client's address of a request from a peer, as the strategy sees it.
func seenFrom(t testing.TB, peer string, fields ...string) string {
	t.Helper()
	var seen netip.Addr
	b := setUp(t, picks(func(r *balance.Request, s *balance.Set, d *balance.Decision) error {
		seen, d.Backend = r.ClientIP, s.Find("a")
		return nil
	}), nil)
	x := new(proxy.Exchange)
	request(x, fields...)
	x.Peer, x.Reply = netip.AddrPortFrom(netip.MustParseAddr(peer), 1), new(reply)
	b.proxy.Serve(x)
	assert.Equal(t, seen, b.backends.client.Addr(), "what the backend may be told")
	return seen.String()
}

func TestForwardedNamesTheClientWhereXForwardedForDoesNot(t *testing.T) {
	const proxied, stranger = "10.0.0.1", "192.0.2.7"
	for name, tt := range map[string]struct{ peer, value, want string }{
		"a stranger's word":            {stranger, "for=1.1.1.1", stranger},
		"a trusted proxy's word":       {proxied, "for=1.1.1.1", "1.1.1.1"},
		"among other parameters":       {proxied, `by=_x;For="1.1.1.1";host="a;for=6.6.6.6, b"`, "1.1.1.1"},
		"IPv6, quoted":                 {proxied, `for="[2001:db8::1]"`, "2001:db8::1"},
		"IPv6 with a port":             {proxied, `for="[2001:db8::1]:4711"`, "2001:db8::1"},
		"with a port":                  {proxied, `for="1.1.1.1:80"`, "1.1.1.1"},
		"with a port in disguise":      {proxied, `for="1.1.1.1:_http"`, "1.1.1.1"},
		"white space":                  {proxied, " for=9.9.9.9 ,\tfor=1.1.1.1 ; proto=http ", "1.1.1.1"},
		"the last that is not trusted": {proxied, "for=9.9.9.9, for=1.1.1.1, for=10.0.0.9", "1.1.1.1"},
		"all are trusted":              {proxied, "for=10.0.0.8, for=10.0.0.9", "10.0.0.8"},
		"unknown":                      {proxied, "for=unknown", proxied},
		"unknown before a proxy":       {proxied, "for=1.1.1.1, for=unknown, for=10.0.0.9", "10.0.0.9"},
		"a host in disguise":           {proxied, `for="_gazonk"`, proxied},
		"no for":                       {proxied, "for=1.1.1.1, proto=https", proxied},
		"for twice":                    {proxied, "for=1.1.1.1;for=2.2.2.2", proxied},
		"nothing":                      {proxied, "", proxied},
		"a quote left open before":     {proxied, `for="1.1.1.1, for="[2001:db8::1]"`, "2001:db8::1"},
		"a quote left open at the end": {proxied, `for=1.1.1.1;host="a`, proxied},
		"malformed":                    {proxied, `for=1.1.1.1;proto=a b`, proxied},
		"escapes in another parameter": {proxied, `host="\",for=6.6.6.6,\\";for=1.1.1.1`, "1.1.1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, seenFrom(t, tt.peer, "Forwarded", tt.value))
		})
	}
}

func TestXForwardedForWinsOverForwarded(t *testing.T) {
	assert.Equal(t, "1.1.1.1", seenFrom(t, "10.0.0.1", "Forwarded", "for=2.2.2.2", "X-Forwarded-For", "1.1.1.1"))
	assert.Equal(t, "2.2.2.2", seenFrom(t, "10.0.0.1", "Forwarded", "for=2.2.2.2", "X-Forwarded-For", ""))
	assert.Equal(t, "2.2.2.2", seenFrom(t, "10.0.0.1", "Forwarded", "for=9.9.9.9", "Forwarded", "for=2.2.2.2"),
		"several lines are one list")
}

// FuzzForwarded holds that whatever stands in a list before it, the word of the nearest proxy counts; and
// that what names no address leaves the peer's.
func FuzzForwarded(f *testing.F) {
	for _, s := range []string{"", "for=1.1.1.1", `for="[::1]:80"`, `for="`, `\"`, `a="\\`, ";;,,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, before string) {
		for word, want := range map[string]string{
			"for=1.2.3.4": "1.2.3.4",
			`for="[2001:db8::1]:80";host="a\",b;for="`: "2001:db8::1",
			"for=_hidden": "10.0.0.1",
		} {
			require.Equal(t, want, seenFrom(t, "10.0.0.1", "Forwarded", before+", "+word), "%q", before)
			if chain, _, plain := strings.Cut(word, ";"); !plain && !strings.Contains(before, "\"") {
				chain = strings.TrimPrefix(chain, "for=")
				require.Equal(t, want, seenFrom(t, "10.0.0.1", "X-Forwarded-For", before+", "+chain))
			}
		}
		seenFrom(t, "10.0.0.1", "Forwarded", before)
		forwarded, chain := told(t, "Forwarded", before)
		require.True(t, strings.HasSuffix(forwarded, own))
		require.True(t, strings.HasSuffix(", "+chain, ", 10.0.0.1"))
		n := len(forwarded) - len(own)
		require.Zero(t, strings.Count(unescaped.Replace(forwarded[:n]), `"`)%2, "%q", forwarded)
	})
}

const own = `for=10.0.0.1;host="shop.test";proto=http`

var unescaped = strings.NewReplacer(`\\`, "", `\"`, "")

// told gives what the backend gets from a trusted proxy's request.
func told(t testing.TB, fields ...string) (forwarded, chain string) {
	t.Helper()
	b := setUp(t, first("a"), nil)
	x := new(proxy.Exchange)
	request(x, fields...)
	x.Peer, x.Reply = netip.MustParseAddrPort("10.0.0.1:1"), new(reply)
	b.proxy.Serve(x)
	f, _ := b.backends.last.Get("forwarded")
	c, _ := b.backends.last.Get("x-forwarded-for")
	return string(f), string(c)
}

// Backends read one of the two fields; neither may hide what the other tells.
func TestForwardedAndXForwardedForTellTheSame(t *testing.T) {
	const hop = "10.0.0.1"
	for name, tt := range map[string]struct {
		fields           []string
		forwarded, chain string // before the edge's own
	}{
		"nothing":            {nil, "", ""},
		"Forwarded alone":    {[]string{"Forwarded", "for=1.2.3.4, for=10.1.1.1"}, "for=1.2.3.4, for=10.1.1.1", "1.2.3.4, 10.1.1.1"},
		"on two lines":       {[]string{"Forwarded", "for=1.2.3.4", "Forwarded", "for=10.1.1.1"}, "for=1.2.3.4, for=10.1.1.1", "1.2.3.4, 10.1.1.1"},
		"IPv6":               {[]string{"Forwarded", `for="[2001:db8::1]:80";proto=https`}, `for="[2001:db8::1]:80";proto=https`, "2001:db8::1"},
		"hidden":             {[]string{"Forwarded", "for=_x, proto=http, for=1.1.1.1"}, "for=_x, proto=http, for=1.1.1.1", "unknown, unknown, 1.1.1.1"},
		"X-Forwarded-For":    {[]string{"X-Forwarded-For", "x, 1.2.3.4:5, ::1"}, `for=unknown, for=1.2.3.4, for="[::1]"`, "x, 1.2.3.4:5, ::1"},
		"both":               {[]string{"Forwarded", "for=1.1.1.1", "X-Forwarded-For", "2.2.2.2"}, "for=1.1.1.1", "2.2.2.2"},
		"an open quote":      {[]string{"Forwarded", `for=6.6.6.6, for="1.2.3.4`}, "", ""},
		"before a good one":  {[]string{"Forwarded", `for="6.6.6.6, for=1.2.3.4`}, "for=1.2.3.4", "1.2.3.4"},
		"an open escape":     {[]string{"Forwarded", `for="a\"`}, "", ""},
		"a quote within":     {[]string{"Forwarded", `for="a"b"`}, "", ""},
		"malformed and both": {[]string{"Forwarded", `for="`, "X-Forwarded-For", "2.2.2.2"}, "for=2.2.2.2", "2.2.2.2"},
		"a leading comma":    {[]string{"Forwarded", ",for=1.1.1.1"}, "for=1.1.1.1", "1.1.1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			forwarded, chain := told(t, tt.fields...)
			assert.Equal(t, strings.TrimPrefix(tt.forwarded+", "+own, ", "), forwarded)
			assert.Equal(t, strings.TrimPrefix(tt.chain+", "+hop, ", "), chain)
		})
	}
}

// A list of very many hops does not grow by being told another way.
func TestOnlyTheNearestHopsAreToldAnotherWay(t *testing.T) {
	forwarded, chain := told(t, "X-Forwarded-For", strings.Repeat("::,", 10000)+"::2")
	assert.Len(t, chain, len("::,")*10000+len("::2, 10.0.0.1"))
	assert.Equal(t, strings.Repeat(`for="[::]", `, 31)+`for="[::2]", `+own, forwarded)
}
