package proxy_test

import (
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/proxy"
)

// everything is tried again.
const everything = proxy.OnConnectError | proxy.OnReset | proxy.OnTimeout |
	proxy.On500 | proxy.On502 | proxy.On503 | proxy.On504

func retrying(on proxy.Conditions) func(*proxy.Route, *proxy.Generation) {
	return func(r *proxy.Route, _ *proxy.Generation) {
		r.Retry = proxy.Retry{Attempts: 3, Budget: 20, On: on, BodyBytes: 10}
	}
}

func status(code int) func(*http1.Request, *http1.Response) error {
	return func(r *http1.Request, a *http1.Response) error {
		err := ok("as it came")(r, a)
		a.Status = code
		return err
	}
}

func TestEachConditionIsItsOwn(t *testing.T) {
	for name, tt := range map[string]struct {
		fail func(*http1.Request, *http1.Response) error
		on   proxy.Conditions
	}{
		"refused":         {fails(balance.ConnectFailed, false), proxy.OnConnectError},
		"reset unsent":    {fails(balance.Reset, false), proxy.OnConnectError},
		"reset":           {fails(balance.Reset, true), proxy.OnReset},
		"timeout":         {fails(balance.TimedOut, true), proxy.OnTimeout},
		"500":             {status(500), proxy.On500},
		"502":             {status(502), proxy.On502},
		"503":             {status(503), proxy.On503},
		"504":             {status(504), proxy.On504},
		"501":             {status(501), 0},
		"no answer":       {fails(balance.BadAnswer, true), 0},
		"the client left": {fails(balance.ClientGone, false), 0},
		"a bad body":      {fails(balance.BadRequestBody, false), 0},
	} {
		for on, want := range map[proxy.Conditions]int{tt.on: 2, everything &^ tt.on: 1, 0: 1} {
			if tt.on == 0 {
				want = 1
			}
			b := setUp(t, first("a"), retrying(on))
			b.backends.answer["a"] = tt.fail
			b.ask()
			assert.Len(t, b.backends.asked, want, "%s %b", name, on)
		}
	}
}

func TestOnlyIdempotentMethodsAreRepeated(t *testing.T) {
	for method, want := range map[string]int{
		"GET": 2, "HEAD": 2, "OPTIONS": 2, "PUT": 2, "DELETE": 2, "POST": 1, "PATCH": 1, "get": 1, "PURGE": 1,
	} {
		b := setUp(t, first("a"), retrying(everything))
		b.backends.answer["a"] = fails(balance.Reset, true)
		x := new(proxy.Exchange)
		request(x)
		x.Request.Method, x.Reply = []byte(method), new(reply)
		b.proxy.Serve(x)
		assert.Len(t, b.backends.asked, want, method)
	}
}

// A retry goes to a backend with room at once or not at all.
func TestARetryDoesNotWait(t *testing.T) {
	for name, tt := range map[string]struct {
		fail func(*http1.Request, *http1.Response) error
		want string
	}{
		"a failure":         {fails(balance.ConnectFailed, false), "502 Bad Gateway"},
		"a backend's error": {status(503), "as it came"},
	} {
		b := setUp(t, first("a"), retrying(everything))
		b.pool.SetLimits(balance.Limits{Backend: 1, Queue: 5, Wait: time.Hour})
		for _, id := range []string{"b", "c"} {
			require.True(t, b.pool.Set().Find(id).Begin(false))
		}
		b.backends.answer["a"] = tt.fail
		got := b.ask()
		assert.Contains(t, got.body.String(), tt.want, name)
		assert.Equal(t, []string{"a"}, b.backends.asked, name)
		assert.Zero(t, b.pool.Set().Find("a").Load().InFlight(), name)
		b.pool.Set().Find("c").End()
		got = b.ask()
		assert.Equal(t, "from c", got.body.String(), name)
	}
}

// When the budget is used up, what the backend said is the answer, with what the strategy of that attempt added.
func TestOverTheBudgetTheAnswerStands(t *testing.T) {
	picker := picks(func(r *balance.Request, s *balance.Set, d *balance.Decision) error {
		d.Backend = s.Row(r.Attempt)
		d.Header = append(d.Header, balance.HeaderLine{Name: []byte("X-Attempt"), Value: []byte{'0' + byte(r.Attempt)}})
		return nil
	})
	b := setUp(t, picker, retrying(proxy.On503))
	for id := range b.backends.answer {
		b.backends.answer[id] = status(503)
	}
	assert.Equal(t, "2", b.ask().get("x-attempt"))
	synctest.Test(t, func(t *testing.T) { // all within one second
		for range 20 {
			b.ask()
		}
		b.backends.asked = nil
		got := b.ask()
		assert.Equal(t, []string{"a"}, b.backends.asked)
		assert.Equal(t, []any{503, "as it came", "0"}, []any{got.status, got.body.String(), got.get("x-attempt")})
	})
}

// A closer notes whether an answer that nobody read was closed.
type closer struct {
	io.Reader
	closed *atomic.Int64
}

func (c closer) Close() error {
	c.closed.Add(1)
	return nil
}

func TestAnAnswerThatIsTriedAgainIsClosedUnread(t *testing.T) {
	var closed atomic.Int64
	b := setUp(t, first("a"), retrying(proxy.On500))
	b.backends.answer["a"] = func(_ *http1.Request, a *http1.Response) error {
		a.Status, a.Length = 500, http1.Unknown
		a.Body = closer{readerFunc(func([]byte) (int, error) { panic("it is not read") }), &closed}
		return nil
	}
	assert.Equal(t, 200, b.ask().status)
	assert.EqualValues(t, 1, closed.Load())
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A body of the client's that breaks off is the client's fault, and is not sent again.
func TestABodyThatBreaksOffIsNotSentAgain(t *testing.T) {
	b := setUp(t, first("a"), retrying(everything))
	b.backends.answer["a"] = func(r *http1.Request, _ *http1.Response) error {
		_, err := io.ReadAll(r.Body)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		r.Body.(io.Closer).Close()
		return &balance.Failure{Kind: balance.Reset, Sent: true, Err: errors.New("reset")}
	}
	x := new(proxy.Exchange)
	request(x)
	x.Request.Method, x.Request.Length, x.Reply = []byte("PUT"), 10, new(reply)
	x.Request.Body = io.MultiReader(strings.NewReader("abc"), iotestErr{})
	b.proxy.Serve(x)
	assert.Equal(t, []string{"a"}, b.backends.asked)
}

// Each attempt reads the body from its beginning, however far the one before came.
func TestEachAttemptReadsTheWholeBody(t *testing.T) {
	for name, length := range map[string]int64{"sized": 8, "chunked": http1.Unknown} {
		b := setUp(t, first("a"), retrying(everything))
		b.backends.answer["a"] = func(r *http1.Request, _ *http1.Response) error {
			p := make([]byte, 3)
			_, err := io.ReadFull(r.Body, p)
			assert.NoError(t, err)
			r.Body.(io.Closer).Close()
			_, err = r.Body.Read(p)
			assert.Error(t, err, "the attempt is over")
			return &balance.Failure{Kind: balance.Reset, Sent: true, Err: errors.New("reset")}
		}
		for _, id := range []string{"b", "c"} {
			b.backends.answer[id] = func(r *http1.Request, a *http1.Response) error {
				body, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				return ok(string(body))(r, a)
			}
		}
		x, out := new(proxy.Exchange), new(reply)
		request(x)
		x.Request.Method, x.Request.Length, x.Reply = []byte("PUT"), length, out
		x.Request.Body = io.MultiReader(strings.NewReader("abcd"), strings.NewReader("efgh"))
		b.proxy.Serve(x)
		assert.Equal(t, "abcdefgh", out.body.String(), name)
	}
}

func TestTheTimeOfARouteCountsInTheQueue(t *testing.T) {
	b := setUp(t, first("a"), func(r *proxy.Route, _ *proxy.Generation) { r.Timeout = 20 * time.Millisecond })
	b.pool.SetLimits(balance.Limits{Pool: 1, Queue: 5, Wait: time.Hour})
	require.True(t, b.pool.Gate().Enter(false))
	assert.Equal(t, 504, b.ask().status)
	assert.Zero(t, b.pool.Gate().Waiting())
	b.pool.Gate().Leave(nil)
	assert.Equal(t, 200, b.ask().status)
}

func TestAnExchangeWithLimitsDoesNotAllocate(t *testing.T) {
	b, x, out := steady(t)
	b.pool.SetLimits(balance.Limits{Pool: 10, Backend: 5, Queue: 5, Wait: time.Second})
	assert.Zero(t, testing.AllocsPerRun(100, func() { serveOnce(b, x, out) }))
	assert.Zero(t, b.pool.Gate().InFlight())
}

func TestAPanicGivesThePlaceBack(t *testing.T) {
	b := setUp(t, first("a"), nil)
	b.pool.SetLimits(balance.Limits{Pool: 1, Backend: 1})
	b.backends.answer["a"] = func(*http1.Request, *http1.Response) error { panic("bug") }
	assert.Equal(t, 500, b.ask().status)
	assert.Zero(t, b.pool.Gate().InFlight())
	b.backends.answer["a"] = ok("fine")
	assert.Equal(t, 200, b.ask().status)
}
