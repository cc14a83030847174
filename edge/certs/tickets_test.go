package certs_test

import (
	"crypto/tls"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/certs"
)

// oneSession offers the session it was last given under every name.
type oneSession struct {
	state atomic.Pointer[tls.ClientSessionState]
}

func (s *oneSession) Get(string) (*tls.ClientSessionState, bool) {
	state := s.state.Load()
	return state, state != nil
}

func (s *oneSession) Put(_ string, state *tls.ClientSessionState) {
	if state != nil {
		s.state.Store(state)
	}
}

func TestSessionsResumeUnderTheirOwnPolicyOnly(t *testing.T) {
	t.Parallel()
	friend := newPartner(t, "friend")
	m := newManager(t, t.TempDir(), nil)
	sites := []certs.Site{
		internal("a", none, "a.test"), internal("b", none, "b.test"),
		internal("asked", requested(friend), "asked.test"), internal("closed", required(friend), "closed.test"),
	}
	apply(t, m, sites...)
	e := newEdge(t)
	e.use(m)
	e.startQUIC(t)
	cert := friend.client(t)
	stricter := []certs.Site{internal("a", required(friend), "a.test")}
	for kind, dial := range map[string]func(*tls.Config) (tls.ConnectionState, error){
		"tcp": e.dialTLS, "quic": e.dialQUIC,
	} {
		for name, tt := range map[string]struct {
			from, to string
			reload   []certs.Site
			want     bool
		}{
			"the same":                     {from: "a.test", to: "a.test", want: true},
			"the same, asked":              {from: "asked.test", to: "asked.test", want: true},
			"after a reload":               {from: "a.test", to: "a.test", reload: sites, want: true},
			"another that asks the same":   {from: "a.test", to: "b.test"},
			"from open to asked":           {from: "a.test", to: "asked.test"},
			"from asked to required":       {from: "asked.test", to: "closed.test"},
			"from required to open":        {from: "closed.test", to: "a.test"},
			"after a reload that requires": {from: "a.test", to: "a.test", reload: stricter},
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				apply(t, m, sites...)
				cache := &oneSession{}
				c := clientFor(localRoots(t, m), tt.from)
				c.Certificates = []tls.Certificate{*cert}
				c.ClientSessionCache = cache
				// the client would not offer a session under another name if it verified names itself
				c.InsecureSkipVerify = true
				state, err := dial(c)
				require.NoError(t, err)
				require.False(t, state.DidResume)
				require.Eventually(t, func() bool { return cache.state.Load() != nil }, 5*time.Second, time.Millisecond)
				if tt.reload != nil {
					apply(t, m, tt.reload...)
				}
				c.ServerName = tt.to
				state, err = dial(c)
				require.NoError(t, err)
				assert.Equal(t, tt.want, state.DidResume)
			})
		}
	}
}

func TestTicketKeysRotateDaily(t *testing.T) {
	t.Parallel()
	var days atomic.Int64
	m := newManager(t, t.TempDir(), func(o *certs.Options) {
		o.CheckEvery = 10 * time.Millisecond
		o.Now = func() time.Time { return time.Now().Add(time.Duration(days.Load()) * 24 * time.Hour) }
	})
	apply(t, m, internal("a", none, "a.test"))
	e := newEdge(t)
	e.use(m)
	run(t, m)
	c := clientFor(localRoots(t, m), "a.test")
	c.InsecureSkipVerify = true // its clock stands still
	cache := &oneSession{}
	c.ClientSessionCache = cache
	_, err := e.dialTLS(c)
	require.NoError(t, err)
	old := cache.state.Load()
	require.NotNil(t, old)
	resumes := func() bool {
		cache.state.Store(old)
		state, err := e.dialTLS(c)
		require.NoError(t, err)
		return state.DidResume
	}
	require.True(t, resumes())
	// the clock runs at least a day between two looks, so a rotation may take more than one of its days
	require.Eventually(t, func() bool {
		days.Add(1)
		return !resumes()
	}, patience, 30*time.Millisecond)
	assert.GreaterOrEqual(t, days.Load(), int64(3), "each key verifies for three days")
}
