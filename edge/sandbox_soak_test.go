//go:build soak

package edge_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/admin"
)

func TestAHundredThousandSecretsStayTheirOwners(t *testing.T) { secretsByTurns(t, 100_000) }

// A thousand swaps in a minute, among small modules and built-ins, under load over every protocol: nothing fails, memory
// is flat after the hundredth, and no guest of an old generation is left.
func TestAThousandSwapsUnderLoad(t *testing.T) {
	_, backends := named(t, 3)
	dir, err := filepath.Abs("../testdata/wasm")
	require.NoError(t, err)
	small := []string{"route0", "busiest", "inflight"}
	plugins := "plugins:\n"
	for _, name := range small {
		plugins += fmt.Sprintf("  %s: { source: %q }\n", name, filepath.Join(dir, name+".wasm"))
	}
	r := startProcess(t, plugins+pool(backends, "builtin/stateless", "{}"))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l := new(load)
	var wg sync.WaitGroup
	for _, p := range protocols {
		for range 5 {
			c := r.client(p)
			wg.Go(func() { l.keep(ctx, c, r.url(p)) })
		}
	}
	var memory []int
	began := time.Now()
	for i := range 1000 {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Minute / 1000))) // the pace
		use := small[i%len(small)]
		if i%25 == 24 {
			use = []string{"builtin/cookie-sticky", "builtin/stateless"}[i/25%2]
		}
		require.NoError(t, r.swap(use, "{}"), "swap %d", i)
		if i%100 == 99 {
			kib, _ := r.usage()
			memory = append(memory, kib)
		}
	}
	took := time.Since(began)
	cancel()
	wg.Wait()
	t.Logf("1000 swaps in %s, %d requests, %d failed, KiB after each hundred %v", took, l.requests.Load(),
		l.failed.Load(), memory)
	assert.Less(t, took, 65*time.Second)
	assert.Zero(t, l.failed.Load())
	assert.Less(t, float64(mean(memory[5:])), 1.1*float64(mean(memory[:5])), "KiB, the second half beside the first")
	require.Eventually(t, func() bool { return r.instances(t) == r.serving(t) }, 10*time.Second, 50*time.Millisecond,
		"guests that live are those that serve")
}

func mean(list []int) (sum int) {
	for _, n := range list {
		sum += n
	}
	return sum / len(list)
}

// instances is how many guests live.
func (p *process) instances(t *testing.T) (n int) {
	text, err := p.admin.Metrics(context.Background())
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "wedge_plugin_instances "); ok {
			fmt.Sscan(rest, &n)
		}
	}
	return n
}

// serving is how many guests serve.
func (p *process) serving(t *testing.T) int {
	s, err := p.admin.Strategy(context.Background(), "s")
	require.NoError(t, err)
	return s.Instances
}

// Ten modules that take a compiler down are refused within a second each, and the requests beside them hardly notice.
func TestTenCompileBombsBesideTraffic(t *testing.T) {
	_, backends := named(t, 3)
	r := startProcess(t, pool(backends, "builtin/stateless", "{}"))
	before, _ := r.usage()
	c := r.client("h2")
	var quiet, loud []time.Duration
	for name, bomb := range bombs() {
		quiet = append(quiet, r.latencies(t, c, func() { time.Sleep(time.Second) })...)
		loud = append(loud, r.latencies(t, c, func() {
			began := time.Now()
			_, err := r.admin.Swap(context.Background(), "s",
				admin.Swap{Use: "bomb", Module: bomb, Options: json.RawMessage("{}")})
			took := time.Since(began)
			require.Error(t, err, name)
			t.Logf("%s, %d bytes: %s: %s", name, len(bomb), took.Round(time.Millisecond),
				strings.ReplaceAll(err.Error(), "\n", "; "))
			assert.Less(t, took, time.Second, name)
			time.Sleep(max(0, time.Second-took))
		})...)
	}
	after, _ := r.usage()
	t.Logf("p99 quiet %s, beside bombs %s; %d and %d requests; KiB %d, then %d", p99(quiet), p99(loud), len(quiet),
		len(loud), before, after)
	assert.LessOrEqual(t, p99(loud), 2*p99(quiet))
	assert.Less(t, after, before+64<<10, "KiB of the edge")
}

// latencies are those of 200 requests a second while f runs.
func (p *process) latencies(t *testing.T, c *http.Client, f func()) (list []time.Duration) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			began := time.Now()
			resp, err := c.Get(p.url("h2"))
			if !assert.NoError(t, err) {
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			list = append(list, time.Since(began))
		}
	})
	f()
	close(done)
	wg.Wait()
	return list
}

func p99(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)*99/100]
}

// bombs are modules that are small and dear to compile.
func bombs() map[string][]byte {
	ifs := func(locals, n int) []byte {
		var body bytes.Buffer
		for i := range n {
			local := leb(i % locals)
			body.Write(append(append([]byte{0x20}, local...), 0x04, 0x40, 0x20)) // local.get, if, local.get
			body.Write(append(append(leb((i+1)%locals), 0x21), local...))        // local.set
			body.WriteByte(0x0b)
		}
		return function(locals, body.Bytes())
	}
	table := func(n int) []byte {
		body := append([]byte{0x02, 0x40, 0x41, 0, 0x0e}, leb(n)...)
		body = append(body, make([]byte, n+1)...)
		return append(body, 0x0b)
	}
	deep := func(n int) []byte {
		return append(bytes.Repeat([]byte{0x02, 0x40}, n), bytes.Repeat([]byte{0x0b}, n)...)
	}
	return map[string][]byte{
		"400 locals, 3000 ifs":    wasmOf(ifs(400, 3000)),
		"800 locals, 8000 ifs":    wasmOf(ifs(800, 8000)),
		"1000 locals, 20000 ifs":  wasmOf(ifs(1000, 20000)),
		"50000 locals":            wasmOf(function(50000, nil)),
		"branches of 30000 ways":  wasmOf(function(1, table(30000))),
		"many branches":           wasmOf(function(1, bytes.Repeat(table(8000), 100))),
		"100000 blocks deep":      wasmOf(function(1, deep(100000))),
		"a function of 4 MiB":     wasmOf(function(1, bytes.Repeat([]byte{0x01}, 4<<20))),
		"40 functions of 500 ifs": wasmOf(slices.Repeat([][]byte{ifs(500, 1200)}, 40)...),
		"200000 functions":        wasmOf(slices.Repeat([][]byte{function(0, nil)}, 200000)...),
	}
}

// leb is n in the unsigned form of WebAssembly.
func leb(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

func sized(b []byte) []byte { return append(leb(len(b)), b...) }

// function is a body with locals of i32.
func function(locals int, code []byte) []byte {
	body := append(append(leb(1), leb(locals)...), 0x7f)
	return append(append(body, code...), 0x0b)
}

// wasmOf is a module of functions of no parameters.
func wasmOf(bodies ...[]byte) []byte {
	section := func(id byte, content []byte) []byte { return append([]byte{id}, sized(content)...) }
	functions, code := leb(len(bodies)), leb(len(bodies))
	for _, b := range bodies {
		functions, code = append(functions, 0), append(code, sized(b)...)
	}
	m := append([]byte("\x00asm\x01\x00\x00\x00"), section(1, []byte{1, 0x60, 0, 0})...)
	return append(append(m, section(3, functions)...), section(10, code)...)
}
