package listen_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/listen"
)

// besiege opens n connections to an address and has each begin something it does not finish.
func besiege(t *testing.T, n int, address, begin string) []net.Conn {
	t.Helper()
	var conns []net.Conn
	for range n {
		c, err := net.Dial("tcp", address)
		require.NoError(t, err)
		write(t, c, begin)
		conns = append(conns, c)
	}
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
	})
	return conns
}

func TestSlowClientsAreClosedAndHarmNobody(t *testing.T) {
	e := start(t, say, limits(func(l *listen.Limits) {
		l.HeaderTimeout, l.HandshakeTimeout, l.BodyTimeout = time.Second, time.Second, time.Second
	}))
	var slow []net.Conn
	slow = append(slow, besiege(t, 200, e.plain, "GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ")...)
	slow = append(slow, besiege(t, 200, e.plain, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")...)
	slow = append(slow, besiege(t, 200, e.secure, "")...)
	slow = append(slow, besiege(t, 200, e.secure, halfHello)...)

	var probes sync.WaitGroup
	for _, w := range e.ways() {
		probes.Go(func() { probe(t, w, 40) })
	}
	began := time.Now()
	for _, c := range slow {
		c.SetReadDeadline(began.Add(soon))
		_, err := io.Copy(io.Discard, c)
		assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "still open")
	}
	probes.Wait()
}

// probe is an ordinary client: none of its requests fails.
func probe(t *testing.T, w way, n int) {
	for range n {
		a, err := w.client.Post(w.url, "", strings.NewReader("body"))
		if assert.NoError(t, err, w.name) {
			assert.Equal(t, http.StatusOK, a.StatusCode, w.name)
			_, err = io.Copy(io.Discard, a.Body)
			assert.NoError(t, err, w.name)
			a.Body.Close()
		}
		<-time.After(20 * time.Millisecond)
	}
}

func TestPartialHeadsTakeLittleMemory(t *testing.T) {
	e := start(t, say, limits(func(l *listen.Limits) { l.HeaderTimeout = time.Minute }))
	const n = 400
	before := inUse()
	long := strings.Repeat("a", 15<<10)
	besiege(t, n, e.plain, "GET / HTTP/1.1\r\nHost: h\r\nA: "+long+"\r\nB: "+long)
	held := func() int64 { return (inUse() - before) / n }
	require.Eventually(t, func() bool { return held() > 30<<10 }, soon, 50*time.Millisecond, "all were read")
	assert.Less(t, held(), int64(75<<10), "bytes a connection: 2000 in 150 MB")
}

func inUse() int64 {
	for range 3 { // pools are emptied by the second
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
