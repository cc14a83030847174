package sdk_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

// probe hands each call to a test.
type probe struct {
	configure func(*sdk.Config) error
	backends  func(sdk.Backends) error
	pick      func(*sdk.Request) sdk.Decision
	observe   func(sdk.Outcome)
}

func (p *probe) Configure(c *sdk.Config) error {
	if p.configure == nil {
		return nil
	}
	return p.configure(c)
}

func (p *probe) Backends(b sdk.Backends) error {
	if p.backends == nil {
		return nil
	}
	return p.backends(b)
}

func (p *probe) Pick(r *sdk.Request) sdk.Decision {
	if p.pick == nil {
		return sdk.Abstain()
	}
	return p.pick(r)
}

func (p *probe) Observe(o sdk.Outcome) { p.observe(o) }

func TestARequestShowsWhatWasDeclared(t *testing.T) {
	kinds := []sdk.Attribute{
		sdk.ClientIP(), sdk.Method(), sdk.Scheme(), sdk.Authority(), sdk.Path(), sdk.Query(), sdk.Protocol(),
		sdk.SNI(), sdk.Country(), sdk.RouteName(), sdk.Header("X-Tenant"), sdk.Cookie("Sid"), sdk.QueryParam("q"),
	}
	var got []string
	absent := sdk.Header("undeclared")
	p := &probe{
		configure: func(c *sdk.Config) error {
			for i, k := range kinds {
				kinds[i] = c.Need(k)
			}
			return nil
		},
		pick: func(r *sdk.Request) sdk.Decision {
			got = nil
			for _, k := range kinds {
				if b, ok := r.Bytes(k); ok {
					got = append(got, string(b))
				}
			}
			_, ok := r.Bytes(absent)
			assert.False(t, ok)
			return sdk.Abstain()
		},
	}
	h := hosting(t, p)
	h.Pick(sdktest.Request{
		ClientIP: netip.MustParseAddr("10.1.2.3"), Method: "GET", Scheme: "https", Authority: "a.example",
		Path: "/p", Query: "q=1", Protocol: "h3", SNI: "a.example", Country: "NZ", Route: "app",
		Headers: map[string]string{"x-tenant": "acme"}, Cookies: map[string]string{"Sid": "s1"},
		Params: map[string]string{"q": "1"},
	})
	assert.Equal(t, []string{
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x0a\x01\x02\x03", "GET", "https", "a.example", "/p",
		"q=1", "h3", "a.example", "NZ", "app", "acme", "s1", "1",
	}, got)
	assert.Equal(t, []string{
		"client_ip", "method", "scheme", "authority", "path", "query", "protocol", "sni", "country", "route",
		"header:x-tenant", "cookie:Sid", "query_param:q",
	}, h.Needs())
	h.Pick(sdktest.Request{Headers: map[string]string{"x-tenant": ""}})
	assert.Equal(t, []string{""}, got, "an empty value is there, an absent one is not")
}

func TestHashes(t *testing.T) {
	var hashed, raw sdk.Attribute
	var sums []uint64
	p := &probe{
		configure: func(c *sdk.Config) error {
			hashed, raw = c.Need(sdk.Header("k").Hashed()), c.Need(sdk.Header("k"))
			return nil
		},
		pick: func(r *sdk.Request) sdk.Decision {
			for _, a := range []sdk.Attribute{hashed, raw} {
				if h, ok := r.Hash(a); ok {
					sums = append(sums, h)
				}
			}
			return sdk.Abstain()
		},
	}
	h := hosting(t, p)
	h.Pick(sdktest.Request{Headers: map[string]string{"k": "v"}})
	require.Len(t, sums, 2)
	assert.Equal(t, sdk.Sum64([]byte("v")), sums[1])
	h.Pick(sdktest.Request{})
	assert.Len(t, sums, 2, "absent")
	assert.Equal(t, []string{"header:k#", "header:k"}, h.Needs())
}

func TestPinnedExcludedAndAttempt(t *testing.T) {
	seen := false
	h := hosting(t, &probe{pick: func(r *sdk.Request) sdk.Decision {
		pinned, ok := r.Pinned()
		assert.True(t, ok)
		assert.Equal(t, 2, pinned)
		assert.Equal(t, 3, r.Attempt())
		assert.Equal(t, 2, r.Excluded())
		assert.True(t, r.Excludes(0) && r.Excludes(3))
		assert.False(t, r.Excludes(1) || r.Excludes(2))
		seen = true
		return sdk.Route(pinned).Pin()
	}}, even(4)...)
	d := h.Pick(sdktest.Request{Pinned: "b-002", Excluded: []string{"b-003", "b-000"}, Attempt: 3})
	assert.True(t, seen)
	assert.Equal(t, "b-002", d.Backend)
	assert.True(t, d.Pin)
}

func TestDecisionsReachTheHost(t *testing.T) {
	give := func(d sdk.Decision) func(*sdk.Request) sdk.Decision {
		return func(*sdk.Request) sdk.Decision { return d }
	}
	for name, tt := range map[string]struct {
		pick func(r *sdk.Request) sdk.Decision
		want sdktest.Decision
	}{
		"abstain":             {give(sdk.Abstain()), sdktest.Decision{Verdict: abi.VerdictAbstain}},
		"reject":              {give(sdk.Reject(429)), sdktest.Decision{Verdict: abi.VerdictReject, Status: 429}},
		"reject by default":   {give(sdk.Reject(0)), sdktest.Decision{Verdict: abi.VerdictReject, Status: 503}},
		"pin is for routes":   {give(sdk.Abstain().Pin()), sdktest.Decision{Verdict: abi.VerdictAbstain}},
		"no backend abstains": {give(sdk.Route(-1).Pin()), sdktest.Decision{Verdict: abi.VerdictAbstain}},
		"out of range is bad": {give(sdk.Route(9)), sdktest.Decision{Backend: "?", Bad: "out of range"}},
		"a down backend is bad": {give(sdk.Route(1)), sdktest.Decision{
			Backend: "b-001", Bad: "not available: down",
		}},
		"respond": {func(r *sdk.Request) sdk.Decision {
			return r.Respond(418, "text/plain", []byte("teapot"))
		}, sdktest.Decision{
			Verdict: abi.VerdictRespond, Status: 418, ContentType: "text/plain", Body: "teapot",
		}},
		"spares and fields": {func(r *sdk.Request) sdk.Decision {
			r.Spare(2)
			r.SetHeader("x-cohort", "b")
			return sdk.Route(0)
		}, sdktest.Decision{
			Backend: "b-000", Spares: []string{"b-002"}, Headers: [][2]string{{"x-cohort", "b"}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := hosting(t, &probe{pick: tt.pick}, with(even(3), 1, abi.StateDown)...)
			got := h.Pick(sdktest.Request{})
			if len(got.Spares) == 0 {
				got.Spares, got.Headers = nil, nil
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

// reads calls every accessor, so that a frame that lies is read everywhere.
func reads(a []sdk.Attribute) func(r *sdk.Request) sdk.Decision {
	return func(r *sdk.Request) sdk.Decision {
		for _, x := range a {
			b, ok := r.Bytes(x)
			h, same := r.Hash(x)
			if ok != same || !ok && (h != 0 || b != nil) {
				panic("Bytes and Hash differ")
			}
		}
		pinned, _ := r.Pinned()
		if r.Excludes(pinned) && r.Excluded() == 0 {
			panic("excluded out of nothing")
		}
		r.Attempt()
		return sdk.Route(pinned)
	}
}

func FuzzRequestFrame(f *testing.F) {
	good := make([]byte, abi.RequestSpans+2*abi.SpanSize, 64)
	binary.LittleEndian.PutUint32(good[abi.RequestSlots:], 2)
	binary.LittleEndian.PutUint32(good[abi.RequestExcludedCount:], 1)
	f.Add(good)
	f.Add([]byte{})
	f.Add(append(good[:19:19], make([]byte, 30)...))
	lying := append([]byte(nil), good...)
	for i := range lying {
		lying[i] = 0xfe
	}
	f.Add(lying)
	f.Fuzz(func(t *testing.T, frame []byte) {
		var slots []sdk.Attribute
		need := int32(-1)
		p := &probe{configure: func(c *sdk.Config) error {
			slots = []sdk.Attribute{c.Need(sdk.Path()), c.Need(sdk.Header("a").Hashed()), c.Need(sdk.Query())}
			return nil
		}}
		p.pick = func(r *sdk.Request) sdk.Decision { return reads(slots)(r) }
		g := sdk.NewGuest(p, &sdk.Imports{Need: func(uint32, string, uint32) int32 { need++; return need }})
		g.Frame(64)
		require.Zero(t, g.Configure(0))
		copy(g.Frame(len(frame)), frame)
		g.Pick(len(frame))
	})
}
