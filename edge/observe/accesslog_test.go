package observe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/observe"
)

func record() *observe.Record {
	return &observe.Record{
		Time:      time.Date(2026, 11, 20, 9, 0, 0, 123456789, time.FixedZone("CET", 3600)),
		RequestID: []byte("0123456789abcdef"), TraceID: []byte("4bf92f3577b34da6a3ce929d0e0e4736"),
		Site: "shop.example.com", Route: "/app/**", Pool: "shop", Backend: "shop-1",
		Strategy: "spread", Plugin: "3f2a", Outcome: "new", Reason: "chosen", Decision: 150, Attempts: 1,
		Protocol: "h2", Method: []byte("GET"), Host: []byte("shop.example.com"), Path: []byte("/app/x"),
		Query: []byte("a=1"), UserAgent: []byte("curl/8"), ClientIP: netip.MustParseAddr("2001:db8::1"),
		Status: 200, In: 5, Out: 1024, Head: time.Millisecond, Duration: 2 * time.Millisecond, Error: "reset",
	}
}

// written are the lines that a log writes of what log does.
func written(t *testing.T, o observe.AccessOptions, do func(*observe.AccessLog)) []string {
	t.Helper()
	var out bytes.Buffer
	o.Writer = &out
	l := observe.NewAccessLog(o)
	do(l)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, l.Run(ended))
	if out.Len() == 0 {
		return nil
	}
	require.True(t, strings.HasSuffix(out.String(), "\n"))
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestALineHoldsWhatIsKnownOfARequest(t *testing.T) {
	lines := written(t, observe.AccessOptions{}, func(l *observe.AccessLog) {
		l.Log(0, record())
		l.Log(0, &observe.Record{})
	})
	require.Len(t, lines, 2)
	assert.JSONEq(t, `{"time":"2026-11-20T08:00:00.123456Z","request_id":"0123456789abcdef",
		"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","site":"shop.example.com","route":"/app/**","pool":"shop",
		"backend":"shop-1","strategy":"spread","plugin":"3f2a","outcome":"new","reason":"chosen","decision_ns":150,
		"attempts":1,"protocol":"h2","method":"GET","host":"shop.example.com","path":"/app/x","query":"a=1",
		"status":200,"bytes_in":5,"bytes_out":1024,"head_ns":1000000,"duration_ns":2000000,
		"client_ip":"2001:db8::1","error":"reset","user_agent":"curl/8"}`, lines[0])
	assert.JSONEq(t, `{"time":"0001-01-01T00:00:00.000000Z","decision_ns":0,"attempts":0,"status":0,"bytes_in":0,
		"bytes_out":0,"head_ns":0,"duration_ns":0}`, lines[1])
}

func TestHeadersAreRedacted(t *testing.T) {
	o := observe.AccessOptions{RedactHeaders: []string{"Authorization", "User-Agent", "HOST"}}
	lines := written(t, o, func(l *observe.AccessLog) { l.Log(0, record()) })
	require.Len(t, lines, 1)
	assert.NotContains(t, lines[0], "curl")
	assert.Contains(t, lines[0], `"host":"REDACTED"`)
	assert.Contains(t, lines[0], `"user_agent":"REDACTED"`)
}

func TestARecordMayBeUsedAgainAtOnce(t *testing.T) {
	lines := written(t, observe.AccessOptions{}, func(l *observe.AccessLog) {
		r := record()
		path := []byte("/first")
		r.Path = path
		l.Log(0, r)
		copy(path, "/other")
		l.Log(0, r)
	})
	assert.Contains(t, lines[0], `"path":"/first"`)
	assert.Contains(t, lines[1], `"path":"/other"`)
}

func TestLongValuesAreCutAndTheLineSaysSo(t *testing.T) {
	lines := written(t, observe.AccessOptions{}, func(l *observe.AccessLog) {
		r := record()
		r.Path = bytes.Repeat([]byte("a"), 5000)
		l.Log(0, r)
		r.Path = bytes.Repeat([]byte("a"), 4096)
		l.Log(0, r)
	})
	assert.Contains(t, lines[0], `"path":"`+strings.Repeat("a", 4096)+`"`)
	assert.Contains(t, lines[0], `"cut":true`)
	assert.NotContains(t, lines[1], `"cut"`)
}

func TestWhatDoesNotFitIsDroppedAndCounted(t *testing.T) {
	for name, o := range map[string]observe.AccessOptions{
		"by records": {Records: 64, Bytes: 1 << 30},
		"by bytes":   {Records: 1 << 20, Bytes: 8000},
	} {
		t.Run(name, func(t *testing.T) {
			var dropped uint64
			lines := written(t, o, func(l *observe.AccessLog) {
				for i := range 1000 {
					l.Log(uint32(i), record())
				}
				dropped = l.Dropped()
			})
			assert.Positive(t, dropped)
			assert.NotEmpty(t, lines)
			assert.EqualValues(t, 1000, int(dropped)+len(lines))
		})
	}
}

// TestWhateverAClientSendsEachLineIsJSON is S57: no raw control byte, and every line parses.
func TestWhateverAClientSendsEachLineIsJSON(t *testing.T) {
	var all []byte
	for c := range 256 {
		all = append(all, byte(c))
	}
	nasty := [][]byte{
		all, []byte("a\r\n{\"time\":\"forged\"}\n"), []byte(`\u0000"\`), []byte("\u2028\u2029\u0085\u009b31m"),
		[]byte("\xff\xfe\xc0\x80\xed\xa0\x80"), []byte("\U0001F600\u00e9"), []byte("\xf0\x9f\x98"),
		[]byte("\x1b[2J\x7f"), []byte("\ufffd"),
	}
	lines := written(t, observe.AccessOptions{}, func(l *observe.AccessLog) {
		for _, n := range nasty {
			l.Log(0, &observe.Record{Path: n, Query: n, Method: n, Host: n, UserAgent: n, RequestID: n, TraceID: n})
		}
	})
	require.Len(t, lines, len(nasty))
	for i, line := range lines {
		assertClean(t, line)
		var got struct{ Path string }
		require.NoError(t, json.Unmarshal([]byte(line), &got))
		assert.Equal(t, strings.ToValidUTF8(replaceEach(nasty[i]), "\ufffd"), got.Path)
	}
}

// replaceEach makes each invalid byte one U+FFFD, as strings.ToValidUTF8 does for runs of them.
func replaceEach(b []byte) string {
	var s strings.Builder
	for _, r := range string(b) {
		s.WriteRune(r)
	}
	return s.String()
}

func assertClean(t *testing.T, line string) {
	t.Helper()
	require.True(t, json.Valid([]byte(line)), "%q", line)
	require.True(t, utf8.ValidString(line), "%q", line)
	for _, r := range line {
		require.False(t, r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029, "%q in %q", r, line)
	}
}

func TestALogWritesEveryTenthOfASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		l := observe.NewAccessLog(observe.AccessOptions{Writer: &out})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { assert.NoError(t, l.Run(ctx)) })
		l.Log(0, record())
		time.Sleep(99 * time.Millisecond)
		synctest.Wait()
		assert.Zero(t, out.lines())
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		assert.Equal(t, 1, out.lines())
		l.Log(5, record())
		cancel()
		wg.Wait()
		assert.Equal(t, 2, out.lines(), "what is left is written at the end")
	})
}

func TestALogThatFillsUpIsWrittenBeforeItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		l := observe.NewAccessLog(observe.AccessOptions{Writer: &out, Records: 256, Every: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { assert.NoError(t, l.Run(ctx)) })
		for range 10_000 {
			l.Log(0, record())
			synctest.Wait()
		}
		assert.Zero(t, l.Dropped())
		cancel()
		wg.Wait()
		assert.Equal(t, 10_000, out.lines())
	})
}

// TestRecordsFromManyConnections is a hammer: each line is whole, and none is lost uncounted.
func TestRecordsFromManyConnections(t *testing.T) {
	var out lockedBuffer
	l := observe.NewAccessLog(observe.AccessOptions{Writer: &out, Records: 512, Every: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	var writer, wg sync.WaitGroup
	writer.Go(func() { assert.NoError(t, l.Run(ctx)) })
	const goroutines, rounds = 8, 2000
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				r := record()
				r.Path = fmt.Appendf(nil, "/%d/%d", g, i)
				r.Query = r.Path
				l.Log(uint32(g), r)
			}
		})
	}
	wg.Wait()
	cancel()
	writer.Wait()
	seen := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		var got struct{ Path, Query string }
		require.NoError(t, json.Unmarshal([]byte(line), &got))
		require.Equal(t, got.Path, got.Query)
		require.False(t, seen[got.Path])
		seen[got.Path] = true
	}
	assert.EqualValues(t, goroutines*rounds, len(seen)+int(l.Dropped()))
}

func TestAFullDiskStopsNothing(t *testing.T) {
	var logged bytes.Buffer
	w := &fullDisk{room: 700}
	l := observe.NewAccessLog(observe.AccessOptions{
		Writer: w, Every: time.Millisecond, Logger: slog.New(slog.NewTextHandler(&logged, nil)),
	})
	flush := func() {
		ended, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		require.NoError(t, l.Run(ended))
	}
	for range 3 {
		l.Log(0, record())
	}
	flush()
	assert.EqualValues(t, 2, l.Dropped(), "one line fitted, the next was torn")
	l.Log(0, record())
	flush()
	assert.EqualValues(t, 3, l.Dropped())
	w.room = 1 << 20
	l.Log(0, record())
	flush()
	assert.EqualValues(t, 3, l.Dropped())
	lines := strings.Split(strings.TrimSpace(w.String()), "\n")
	require.Len(t, lines, 3)
	assert.True(t, json.Valid([]byte(lines[0])))
	assert.False(t, json.Valid([]byte(lines[1])), "the torn one")
	assert.True(t, json.Valid([]byte(lines[2])), "what follows begins a new line")
	assert.Equal(t, 1, strings.Count(logged.String(), "access log cannot be written"), "one line a change")
	assert.Equal(t, 1, strings.Count(logged.String(), "access log is written again"))
}

func TestWithoutALogNothingIsLogged(t *testing.T) {
	var l *observe.AccessLog
	l.Log(0, record())
	assert.Zero(t, l.Dropped())
	assert.NoError(t, l.Run(t.Context()))
}

func TestLoggingDoesNotAllocate(t *testing.T) {
	l := observe.NewAccessLog(observe.AccessOptions{Writer: &bytes.Buffer{}, Records: 64})
	r := record()
	fill := func() {
		for range 64 {
			l.Log(1, r)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_ = l.Run(ended)
	}
	fill() // once for each of the two batches
	fill()
	assert.Zero(t, testing.AllocsPerRun(20, func() { l.Log(1, r) }))
}

// BenchmarkLog is what a request pays; BenchmarkWrite is what the writer pays for a line.
func BenchmarkLog(b *testing.B)   { benchmarkLog(b, true) }
func BenchmarkWrite(b *testing.B) { benchmarkLog(b, false) }

func benchmarkLog(b *testing.B, log bool) {
	const batch = 1024
	l := observe.NewAccessLog(observe.AccessOptions{Writer: discard{}, Records: 64 * batch, Bytes: 64 << 20})
	ended, cancel := context.WithCancel(b.Context())
	cancel()
	r := record()
	b.ReportAllocs()
	for done := 0; done < b.N; done += batch {
		pause(b, !log)
		for range min(batch, b.N-done) {
			l.Log(1, r)
		}
		pause(b, log)
		_ = l.Run(ended)
	}
	if l.Dropped() > 0 {
		b.Fatal("records were dropped")
	}
}

func pause(b *testing.B, yes bool) {
	if yes {
		b.StopTimer()
		return
	}
	b.StartTimer()
}

// FuzzLine: whatever bytes a record has, its line is clean JSON that says the same.
func FuzzLine(f *testing.F) {
	f.Add([]byte("/a\r\n\x00\xff"), []byte("GET"), "route")
	f.Add([]byte("\xed\xa0\x80\u2028"), []byte(`"\`), "\x7f")
	f.Fuzz(func(t *testing.T, path, method []byte, route string) {
		lines := written(t, observe.AccessOptions{}, func(l *observe.AccessLog) {
			l.Log(0, &observe.Record{Path: path, Method: method, Route: route})
		})
		require.Len(t, lines, 1)
		assertClean(t, lines[0])
		var got struct{ Path, Method, Route string }
		require.NoError(t, json.Unmarshal([]byte(lines[0]), &got))
		if len(path) <= 4096 {
			require.Equal(t, replaceEach(path), got.Path)
		}
		require.Equal(t, replaceEach([]byte(route)), got.Route)
	})
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) lines() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Count(b.Bytes(), []byte("\n"))
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// fullDisk takes as many bytes as there is room.
type fullDisk struct {
	room int
	bytes.Buffer
}

func (d *fullDisk) Write(p []byte) (int, error) {
	n := min(len(p), d.room)
	d.room -= n
	d.Buffer.Write(p[:n])
	if n < len(p) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}
