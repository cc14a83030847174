package proxy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/proxy"
)

// repeating asks for as many repeats as it may have, and counts them.
func repeating(granted *int) func(r *http1.Request, a *http1.Response) error {
	return func(r *http1.Request, a *http1.Response) error {
		for r.Again() {
			*granted++
		}
		return ok("at last")(r, a)
	}
}

func TestARepeatFollowsTheRulesOfRetries(t *testing.T) {
	for name, tt := range map[string]struct {
		rule proxy.Retry
		body string
		want int
	}{
		"the default":            {proxy.Retry{Attempts: 3, Budget: 20, On: proxy.OnConnectError}, "", 1},
		"reset":                  {proxy.Retry{Attempts: 4, Budget: 20, On: proxy.OnReset}, "", 3},
		"within the budget":      {proxy.Retry{Attempts: 100, Budget: 1, On: proxy.OnReset}, "", 10},
		"one attempt":            {proxy.Retry{Attempts: 1, Budget: 20, On: proxy.OnConnectError | proxy.OnReset}, "", 0},
		"no budget":              {proxy.Retry{Attempts: 3, On: proxy.OnConnectError | proxy.OnReset}, "", 0},
		"nothing is tried again": {proxy.Retry{Attempts: 3, Budget: 20}, "", 0},
		"other conditions":       {proxy.Retry{Attempts: 3, Budget: 20, On: everything &^ (proxy.OnConnectError | proxy.OnReset)}, "", 0},
		"a body that is kept":    {proxy.Retry{Attempts: 3, Budget: 20, On: proxy.OnConnectError, BodyBytes: 10}, "0123456789", 1},
		"a larger body":          {proxy.Retry{Attempts: 3, Budget: 20, On: proxy.OnConnectError, BodyBytes: 9}, "0123456789", 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, first("a"), func(r *proxy.Route, _ *proxy.Generation) { r.Retry = tt.rule })
			granted := 0
			b.backends.answer["a"] = repeating(&granted)
			x, out := new(proxy.Exchange), new(reply)
			request(x)
			x.Reply = out
			if tt.body != "" {
				x.Request.Method, x.Request.Length = []byte("PUT"), int64(len(tt.body))
				x.Request.Body, x.Request.Buffered = strings.NewReader(tt.body), []byte(tt.body)
			}
			b.proxy.Serve(x)
			assert.Equal(t, 200, out.status)
			assert.Equal(t, tt.want, granted)
			assert.EqualValues(t, 1+granted, b.pool.Set().Backends[0].Load().Begun())
		})
	}
}

// A repeat uses up an attempt, and the next request has its own.
func TestARepeatIsAnAttempt(t *testing.T) {
	b := setUp(t, first("a"), func(r *proxy.Route, _ *proxy.Generation) {
		r.Retry = proxy.Retry{Attempts: 3, Budget: 100, On: proxy.OnConnectError | proxy.OnReset}
	})
	for id := range b.backends.answer {
		b.backends.answer[id] = func(r *http1.Request, a *http1.Response) error {
			r.Again()
			return fails(balance.Reset, true)(r, a)
		}
	}
	x, out := new(proxy.Exchange), new(reply)
	for range 2 {
		b.backends.asked = nil
		request(x)
		x.Reply = out
		b.proxy.Serve(x)
		assert.Equal(t, 502, out.status)
		assert.Len(t, b.backends.asked, 2, "and one of them twice")
	}
}
