package proxy_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/affinity"
	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/proxy"
)

func pinner(t testing.TB, o affinity.Options) *affinity.Affinity {
	t.Helper()
	keys, err := affinity.NewKeyring(bytes.Repeat([]byte{'k'}, 32))
	require.NoError(t, err)
	a, err := affinity.New("p", keys, o)
	require.NoError(t, err)
	return a
}

// sticky honours pins.
func sticky(r *balance.Request, s *balance.Set, d *balance.Decision) error {
	if d.Backend, d.Pin = s.Find("a"), true; r.Pinned != nil {
		d.Backend = r.Pinned
	}
	return nil
}

// The memory of an exchange is used again: what is left of a field must not be what was there before.
func TestTheOtherCookiesReachTheBackendUnchanged(t *testing.T) {
	a := pinner(t, affinity.Options{})
	b := setUp(t, picks(sticky), func(r *proxy.Route, _ *proxy.Generation) { r.Affinity = a })
	token := "wedge-p=" + string(a.Append(nil, "b", time.Now(), time.Now()))
	x := new(proxy.Exchange)
	for range 3 {
		for _, cookies := range [][2]string{
			{token + "; sid=0123456789; theme=dark", "sid=0123456789; theme=dark"},
			{"sid=0123456789; " + token + "; theme=dark", "sid=0123456789; theme=dark"},
			{"sid=0123456789; " + token, "sid=0123456789"},
			{token, ""},
		} {
			request(x, "Cookie", cookies[0], "Cookie", "last=1")
			x.Reply = &reply{}
			b.proxy.Serve(x)
			got, _ := b.backends.last.Get("cookie")
			if cookies[1] == "" {
				cookies[1] = "last=1"
			}
			require.Equal(t, cookies[1], string(got))
			require.Equal(t, "b", b.backends.asked[len(b.backends.asked)-1])
		}
	}
}

func TestAStrategySeesNoToken(t *testing.T) {
	for name, carrier := range map[string]affinity.Carrier{"field": affinity.InHeader, "parameter": affinity.InQuery} {
		t.Run(name, func(t *testing.T) {
			a := pinner(t, affinity.Options{Carrier: carrier})
			token := string(a.Append(nil, "b", time.Now(), time.Now()))
			var query, header string
			look := func(r *balance.Request, s *balance.Set, d *balance.Decision) error {
				value, _ := r.Header.Get("wedge-pin")
				query, header = string(r.Query), string(value)
				return sticky(r, s, d)
			}
			b := setUp(t, picks(look), func(r *proxy.Route, _ *proxy.Generation) { r.Affinity = a })
			x := new(proxy.Exchange)
			for range 3 {
				request(x, "Wedge-Pin", token, "Other", "1")
				x.Request.Query, x.Request.HasQuery = []byte("a=1&wedge_pin="+token+"&b"), true
				x.Reply = &reply{}
				b.proxy.Serve(x)
				assert.Equal(t, "b", b.backends.asked[len(b.backends.asked)-1])
				assert.Equal(t, carrier == affinity.InQuery, query == "a=1&b", query)
				assert.Equal(t, carrier == affinity.InHeader, header == "", header)
			}
		})
	}
}

// A pinned request costs no allocation, whatever carries the pin.
func TestAPinnedExchangeDoesNotAllocate(t *testing.T) {
	key := bytes.Repeat([]byte{'s'}, 32)
	session := &affinity.Sessions{Source: []string{"query:sid", "cookie:sid"}, Learn: []string{"cookie:sid"}, Key: key}
	for name, tt := range map[string]struct {
		options affinity.Options
		query   string
		fields  []string
		group   bool
	}{
		"a cookie":             {affinity.Options{}, "", []string{"Cookie", "wedge-p=TOKEN; a=1"}, false},
		"a field":              {affinity.Options{Carrier: affinity.InHeader}, "", []string{"Wedge-Pin", "TOKEN"}, false},
		"a parameter":          {affinity.Options{Carrier: affinity.InQuery}, "a=1&wedge_pin=TOKEN", nil, false},
		"a session":            {affinity.Options{Sessions: session}, "", []string{"Cookie", "a=1; sid=0123456789"}, false},
		"an escaped session":   {affinity.Options{Sessions: session}, "a=1&sid=%20123456789", nil, false},
		"cookies of two pools": {affinity.Options{}, "", []string{"Cookie", "old=TOKEN; wedge-p=TOKEN"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			a := pinner(t, tt.options)
			b := setUp(t, picks(sticky), func(r *proxy.Route, _ *proxy.Generation) {
				if r.Affinity = a; tt.group {
					first, second := *r, *r
					first.Affinity = pinner(t, affinity.Options{Cookie: affinity.Cookie{Name: "old"}})
					r.Group = proxy.NewGroup([]*proxy.Route{&first, &second}, []uint64{1, 2}, nil)
				}
			})
			page := &pageBody{text: []byte("hello")}
			b.backends.answer["a"] = func(_ *http1.Request, a *http1.Response) error {
				page.read = false
				a.Status, a.Length, a.Body = 200, 5, page
				return nil
			}
			token := string(a.Append(nil, "a", time.Now(), time.Now()))
			var fields [][]byte
			for _, f := range tt.fields {
				fields = append(fields, []byte(strings.ReplaceAll(f, "TOKEN", token)))
			}
			query := []byte(strings.ReplaceAll(tt.query, "TOKEN", token))
			x, client := new(proxy.Exchange), new(sink)
			run := func() {
				b.backends.asked = b.backends.asked[:0]
				x.Reset()
				x.Protocol, x.Peer, x.Reply = proxy.H1, peer, client
				r := &x.Request
				r.Method, r.Scheme, r.Authority, r.Path = get, http, host, path
				for i := 0; i < len(fields); i += 2 {
					r.Fields.Add(fields[i], fields[i+1])
				}
				r.Query, r.HasQuery = query, len(query) > 0
				b.proxy.Serve(x)
			}
			for range 5 {
				run()
			}
			assert.Zero(t, testing.AllocsPerRun(1000, run))
			assert.Equal(t, []string{"a"}, b.backends.asked)
		})
	}
}
