package upstream_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/upstream"
)

// halting answers /part with the beginning of a body, /switch with a tunnel, and else nothing; it tells reached.
func halting(reached chan<- string) script {
	return func(c net.Conn, r *bufio.Reader) {
		for {
			head := readHead(r)
			switch {
			case head == "":
				return
			case head[:9] == "GET /part":
				say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
			case head[:11] == "GET /switch":
				say(c, "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			case head[:9] == "GET /idle":
				say(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				continue
			}
			reached <- head
		}
	}
}

func TestSeverEndsWhatIsInProgress(t *testing.T) {
	reached := make(chan string, 8)
	b, tr := rawBackend(t, halting(reached)), transport(t, upstream.Settings{})
	var part, tunnel http1.Response
	require.NoError(t, tr.Do(b, request("GET", "/part"), &part))
	q := upgrade()
	q.Path = []byte("/switch")
	require.NoError(t, tr.Do(b, q, &tunnel))
	failed := make(chan error, 2)
	body, w := newHeldBody()
	defer w.Close()
	for _, prepare := range []func(r *http1.Request){
		func(*http1.Request) {},
		func(r *http1.Request) { r.Length, r.Body = http1.Unknown, body },
	} {
		r := request("POST", "/wait")
		prepare(r)
		go func() { failed <- tr.Do(b, r, new(http1.Response)) }()
	}
	for range 4 {
		<-reached
	}
	tr.Sever(b)
	for range 2 {
		kind, sent := kindOf(t, <-failed)
		assert.Equal(t, balance.Severed, kind)
		assert.True(t, sent)
	}
	got, err := io.ReadAll(part.Body)
	assert.Equal(t, "part", string(got))
	kind, _ := kindOf(t, err)
	assert.Equal(t, balance.Severed, kind)
	_, err = tunnel.Conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.NoError(t, part.Body.Close())
	require.NoError(t, tunnel.Conn.Close())
	assert.Zero(t, stat(t, tr).Open)
	_, _, err = fetch(tr, b, request("GET", "/idle"))
	assert.NoError(t, err, "who asks later is served")
}

func TestSeverIsOfOneBackend(t *testing.T) {
	reached := make(chan string, 8)
	one, other := rawBackend(t, halting(reached)), rawBackend(t, sized)
	tr := transport(t, upstream.Settings{})
	var a http1.Response
	require.NoError(t, tr.Do(one, request("GET", "/part"), &a))
	tr.Sever(other) // which was never used
	_, _, err := fetch(tr, other, request("GET", "/x"))
	require.NoError(t, err)
	tr.Sever(other)
	buf := make([]byte, 4)
	_, err = io.ReadFull(a.Body, buf)
	require.NoError(t, err)
	require.NoError(t, a.Body.Close())
	for _, s := range tr.Stats() {
		assert.Zero(t, s.Open, "the idle one is closed")
	}
}

func TestSeverReachesABackendThatHasLeft(t *testing.T) {
	for name, leave := range map[string]func(*upstream.Transport, *balance.Backend){
		"the backend": func(tr *upstream.Transport, b *balance.Backend) {
			b.Pool.Update(nil)
			tr.Configure("pool", upstream.Settings{})
		},
		"the pool": func(tr *upstream.Transport, _ *balance.Backend) { tr.Remove("pool") },
	} {
		t.Run(name, func(t *testing.T) {
			reached := make(chan string, 8)
			b, tr := rawBackend(t, halting(reached)), transport(t, upstream.Settings{})
			var before, behind http1.Response
			require.NoError(t, tr.Do(b, request("GET", "/part"), &before))
			leave(tr, b)
			require.NoError(t, tr.Do(b, request("GET", "/part"), &behind))
			tr.Sever(b)
			for _, a := range []*http1.Response{&before, &behind} {
				_, err := io.ReadAll(a.Body)
				kind, _ := kindOf(t, err)
				assert.Equal(t, balance.Severed, kind)
				require.NoError(t, a.Body.Close())
			}
		})
	}
}

func TestSeverEndsH2Streams(t *testing.T) {
	reached, done := make(chan struct{}, 8), make(chan struct{})
	b, _ := plainH2(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/idle" {
			return
		}
		if r.URL.Path == "/part" {
			_, _ = io.WriteString(w, "part")
			_ = http.NewResponseController(w).Flush()
		}
		reached <- struct{}{}
		select {
		case <-done:
		case <-r.Context().Done():
		}
	})
	defer close(done)
	tr := transport(t, upstream.Settings{Protocol: "h2c"})
	var part http1.Response
	require.NoError(t, tr.Do(b, request("GET", "/part"), &part))
	failed := make(chan error, 1)
	go func() { failed <- tr.Do(b, request("GET", "/wait"), new(http1.Response)) }()
	for range 2 {
		<-reached
	}
	tr.Sever(b)
	kind, sent := kindOf(t, <-failed)
	assert.Equal(t, balance.Severed, kind, "not a fault of the backend")
	assert.True(t, sent)
	got, err := io.ReadAll(part.Body)
	assert.Equal(t, "part", string(got))
	kind, _ = kindOf(t, err)
	assert.Equal(t, balance.Severed, kind)
	require.NoError(t, part.Body.Close())
	_, _, err = fetch(tr, b, request("GET", "/idle"))
	assert.NoError(t, err, "who asks later is served")
}

// TestSeverAmongExchanges is a hammer: every exchange is answered, or told to have been severed.
func TestSeverAmongExchanges(t *testing.T) {
	plain := rawBackend(t, sized)
	h2, _ := plainH2(t, echoHandler)
	for name, tt := range map[string]struct {
		b *balance.Backend
		s upstream.Settings
	}{
		"h1":  {plain, upstream.Settings{MaxConnections: 4}}, // some wait for a connection
		"h2c": {h2, upstream.Settings{Protocol: "h2c"}},
	} {
		t.Run(name, func(t *testing.T) {
			tr := transport(t, tt.s)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for range 200 {
						_, body, err := fetch(tr, tt.b, request("GET", "/x"))
						if err == nil {
							assert.Equal(t, "/x", body)
							continue
						}
						kind, _ := kindOf(t, err)
						assert.Equal(t, balance.Severed, kind, "%v", err)
					}
				})
			}
			ended := make(chan struct{})
			go func() { wg.Wait(); close(ended) }()
			for tick := time.NewTicker(time.Millisecond); ; {
				select {
				case <-tick.C:
					tr.Sever(tt.b)
					continue
				case <-ended:
				}
				break
			}
			tr.Sever(tt.b)
			require.Eventually(t, func() bool { return stat(t, tr).Open == 0 }, 5*time.Second, time.Millisecond)
		})
	}
}
