//go:build soak

package edge_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// load counts what happened to the requests of a load.
type load struct{ requests, failed atomic.Int64 }

// A hundred swaps in 20 seconds, under 300 new h1 connections a second, 20 h2 and 10 h3 connections that stay: no
// request fails, no connection is closed, memory and descriptors are flat after the 20th swap.
func TestAHundredSwapsUnderLoad(t *testing.T) {
	_, yaml := named(t, 3)
	r := startProcess(t, pool(yaml, "builtin/stateless", "{}"))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l := new(load)
	var wg sync.WaitGroup
	wg.Go(func() { l.newConnections(ctx, r, 300) })
	for _, many := range []struct {
		protocol string
		n        int
	}{{"h2", 20}, {"h3", 10}} {
		for range many.n {
			c := r.client(many.protocol)
			wg.Go(func() { l.keep(ctx, c, r.url(many.protocol)) })
		}
	}
	uses := [][2]string{
		{"builtin/cookie-sticky", "{}"}, {"builtin/consistent-hash", `{"key":["path"]}`},
		{"builtin/ip-affinity", "{}"}, {"builtin/stateless", "{}"},
	}
	var memory, files []int
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for i := range 100 {
		<-tick.C
		require.NoError(t, r.swap(uses[i%len(uses)][0], uses[i%len(uses)][1]))
		if i%20 == 19 {
			m, f := r.usage()
			memory, files = append(memory, m), append(files, f)
		}
	}
	took := time.Since(began)
	cancel()
	wg.Wait()
	t.Logf("100 swaps in %s, %d requests, %d failed, KiB %v, files %v", took, l.requests.Load(), l.failed.Load(),
		memory, files)
	assert.Greater(t, l.requests.Load(), int64(5000))
	assert.Zero(t, l.failed.Load())
	assert.EqualValues(t, 20, r.dials["h2"].Load(), "h2 connections made by 20 clients")
	assert.EqualValues(t, 10, r.dials["h3"].Load(), "h3 connections made by 10 clients")
	assert.Less(t, memory[4], memory[0]+memory[0]/5, "KiB after the 100th swap beside the 20th")
	assert.Less(t, files[4], files[0]+60, "files after the 100th swap beside the 20th: new connections come and go")
}

// newConnections sends a request on n new h1 connections a second.
func (l *load) newConnections(ctx context.Context, r *process, n int) {
	c := r.client("plain")
	c.Transport.(*http.Transport).DisableKeepAlives = true
	tick := time.NewTicker(time.Second / time.Duration(n))
	defer tick.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			wg.Go(func() { l.one(c, r.url("plain")) })
		}
	}
}

// keep sends requests on one connection.
func (l *load) keep(ctx context.Context, c *http.Client, url string) {
	for ctx.Err() == nil {
		l.one(c, url)
		time.Sleep(20 * time.Millisecond) // the pace of the load
	}
}

func (l *load) one(c *http.Client, url string) {
	resp, err := c.Get(url)
	l.requests.Add(1)
	if err != nil || resp.StatusCode != 200 {
		l.failed.Add(1)
		return
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}
