package upstream_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/upstream"
)

// mirror answers with the request's body, over HTTP/1.1 and cleartext HTTP/2.
func mirror(t *testing.T) *balance.Backend {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(append([]byte(r.URL.Path), body...))
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return backendAt(s.Listener.Addr().String(), "http")
}

// TestNoRequestFailsWhileSettingsChange changes protocol and life of a pool as fast as it can.
func TestNoRequestFailsWhileSettingsChange(t *testing.T) {
	changes := map[string]func(tr *upstream.Transport, n int){
		"protocol": func(tr *upstream.Transport, n int) {
			tr.Configure("pool", upstream.Settings{Protocol: []string{"h1", "h2c"}[n%2]})
		},
		"removed and back": func(tr *upstream.Transport, n int) {
			tr.Remove("pool")
			tr.Configure("pool", upstream.Settings{Protocol: []string{"h1", "h2c"}[n%2]})
		},
		"queued": func(tr *upstream.Transport, n int) {
			tr.Remove("pool")
			tr.Configure("pool", upstream.Settings{MaxConnections: 1 + n%2})
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			b, tr := mirror(t), transport(t, upstream.Settings{})
			ctx, stop := context.WithCancel(t.Context())
			var changer, clients sync.WaitGroup
			changer.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					change(tr, n)
					<-time.After(100 * time.Microsecond)
				}
			})
			var done atomic.Int64
			for client := range 6 {
				clients.Go(func() { exchangeAll(t, tr, b, client, &done) })
			}
			clients.Wait()
			stop()
			changer.Wait()
			assert.EqualValues(t, 6*300, done.Load())
		})
	}
}

func exchangeAll(t *testing.T, tr *upstream.Transport, b *balance.Backend, client int, done *atomic.Int64) {
	for i := range 300 {
		r, want := request("POST", "/"), "/body"
		switch r.Length = 4; i % 3 {
		case 0:
			r.Body = strings.NewReader("body")
		case 1:
			r.Buffered = []byte("body")
		default:
			r.Method, r.Length, want = []byte("GET"), 0, "/"
		}
		_, got, err := fetch(tr, b, r)
		if !assert.NoError(t, err, "client %d, request %d", client, i) || !assert.Equal(t, want, got) {
			return
		}
		done.Add(1)
	}
}

// TestARemovedPoolServesItsLastRequests by its own settings, and keeps nothing of them.
func TestARemovedPoolServesItsLastRequests(t *testing.T) {
	for _, protocol := range []string{"h1", "h2c"} {
		t.Run(protocol, func(t *testing.T) {
			b, tr := mirror(t), transport(t, upstream.Settings{Protocol: "h2"})
			tr.Configure("pool", upstream.Settings{Protocol: protocol})
			tr.Remove("pool")
			for range 3 {
				var a http1.Response
				require.NoError(t, tr.Do(b, request("GET", "/x"), &a))
				assert.Equal(t, 200, a.Status)
				require.Empty(t, tr.Stats())
				require.NoError(t, a.Body.Close())
			}
			tr.Remove("pool")
			_, got, err := fetch(tr, b, request("GET", "/x"))
			require.NoError(t, err)
			assert.Equal(t, "/x", got)
			tr.Configure("pool", upstream.Settings{Protocol: protocol})
			_, _, err = fetch(tr, b, request("GET", "/x"))
			require.NoError(t, err)
			assert.Equal(t, 1, stat(t, tr).Open)
		})
	}
}

// TestABackendThatLeftServesItsLastRequests keeps no entry of it beside that of its successor.
func TestABackendThatLeftServesItsLastRequests(t *testing.T) {
	old, tr := rawBackend(t, sized), transport(t, upstream.Settings{})
	next := rawBackend(t, sized)
	old.Pool.Update([]balance.Spec{{ID: "b", Address: next.Address, Scheme: "http"}})
	moved := old.Pool.Set().Find("b")
	for range 3 {
		for _, b := range []*balance.Backend{old, moved} {
			_, body, err := fetch(tr, b, request("GET", "/x"))
			require.NoError(t, err)
			assert.Equal(t, "/x", body)
		}
	}
	assert.Equal(t, next.Address, stat(t, tr).Address)
	assert.EqualValues(t, 1, stat(t, tr).Dialed)
}

func TestAClosedTransportServesNothing(t *testing.T) {
	b, tr := rawBackend(t, sized), transport(t, upstream.Settings{})
	_, _, err := fetch(tr, b, request("GET", "/x"))
	require.NoError(t, err)
	tr.Close()
	_, _, err = fetch(tr, b, request("GET", "/x"))
	kind, sent := kindOf(t, err)
	assert.Equal(t, balance.ConnectFailed, kind)
	assert.False(t, sent)
}
