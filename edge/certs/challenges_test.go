package certs_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/certs"
)

const challengePath = "/.well-known/acme-challenge/"

// TestAnHTTPChallengeIsAnsweredForItsTokenAndHostOnly asks around a real validation while that is under way.
func TestAnHTTPChallengeIsAnsweredForItsTokenAndHostOnly(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := startPebble(t, e)
	m := newManager(t, t.TempDir(), nil)
	var once sync.Once
	seen := make(chan struct{})
	spy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() {
			defer close(seen)
			token := strings.TrimPrefix(r.URL.Path, challengePath)
			body, ok := m.HTTPChallenge(r.Host, r.URL.Path)
			assert.True(t, ok)
			assert.True(t, strings.HasPrefix(body, token+"."))
			_, ok = m.HTTPChallenge("A.TEST", r.URL.Path)
			assert.True(t, ok)
			for _, c := range [][2]string{
				{"b.test", r.URL.Path}, {"", r.URL.Path}, {"a.test", r.URL.Path + "/"}, {"a.test", r.URL.Path + "x"},
				{"a.test", challengePath}, {"a.test", "/" + token}, {"a.test", challengePath + "x/../" + token},
				{"a.test", challengePath + "/" + token}, {"a.test", strings.ToUpper(r.URL.Path)},
			} {
				_, ok := m.HTTPChallenge(c[0], c[1])
				assert.False(t, ok, c)
			}
		})
		e.servePlain(w, r)
	}))
	// take the place of the plain listener
	spy.Listener.Close()
	spy.Listener = e.takePlain(t)
	spy.Start()
	t.Cleanup(spy.Close)
	e.use(m)
	require.NoError(t, m.Apply(t.Context(), p.settings("http-01", shop("a.test"))))
	run(t, m)
	obtained(t, e, p, "a.test")
	<-seen
}

func FuzzHTTPChallenge(f *testing.F) {
	m, err := certs.New(certs.Options{StateDir: f.TempDir()})
	require.NoError(f, err)
	f.Add("a.test", challengePath+"token")
	f.Add("[::1]:80", challengePath+"../../etc/passwd")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, host, path string) {
		body, ok := m.HTTPChallenge(host, path)
		assert.False(t, ok)
		assert.Empty(t, body)
	})
}

func FuzzHost(f *testing.F) {
	m, err := certs.New(certs.Options{StateDir: f.TempDir()})
	require.NoError(f, err)
	ca := newFuzzAuthority(f)
	require.NoError(f, m.Apply(f.Context(), certs.Settings{Sites: []certs.Site{
		internal("closed", certs.ClientAuth{Mode: certs.ClientRequire, CA: ca},
			"closed.test", "*.closed.test", "[::1]"),
		internal("open", none, "*"),
	}}))
	for _, s := range []string{
		"closed.test", "CLOSED.TEST.:443", "x.closed.test", "[::1]:1", "::1", "a..b", "x\x00.closed.test",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		p := m.PolicyFor(host)
		if p == nil {
			return
		}
		// whatever is accepted and folds to a protected name is protected
		bare := strings.ToLower(host)
		if i := strings.LastIndexByte(bare, ':'); i >= 0 && !strings.HasSuffix(bare, "]") {
			bare = bare[:i]
		}
		bare = strings.TrimSuffix(bare, ".")
		label, rest, _ := strings.Cut(bare, ".")
		protected := bare == "closed.test" || bare == "[::1]" || (label != "" && rest == "closed.test")
		assert.Equal(t, protected, p.RequiresCertificate(), host)
		assert.Same(t, p, m.PolicyFor(strings.ToUpper(host)))
	})
}
