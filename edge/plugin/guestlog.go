package plugin

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// What guests may write to the log: a burst, then so many lines a second.
const (
	logBurst = 50
	logRate  = 10
)

// A guestLog writes what guests say, bounded in length and rate. It is safe for concurrent use.
type guestLog struct {
	logger *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	tokens  float64
	last    time.Time
	dropped int
	recent  []string // the newest last
}

// maxRecent is how many lines are kept for those who ask what a guest said before it failed.
const maxRecent = 8

// newest gives the newest lines.
func (g *guestLog) newest() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.recent)
}

func (g *guestLog) keep(line string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.recent) == maxRecent {
		g.recent = slices.Delete(g.recent, 0, 1)
	}
	g.recent = append(g.recent, line)
}

func newGuestLog(l *slog.Logger, now func() time.Time) *guestLog {
	return &guestLog{logger: l, now: now, tokens: logBurst}
}

// write logs at most limit bytes of text, if the rate allows it; dropped lines are counted in the next one.
func (g *guestLog) write(level slog.Level, source string, text []byte, limit int) {
	ctx := context.Background()
	if !g.logger.Enabled(ctx, level) {
		return
	}
	dropped, ok := g.take()
	if !ok {
		return
	}
	line := printable(text, limit)
	g.keep(line)
	attrs := []slog.Attr{slog.String("source", source), slog.String("text", line)}
	if dropped > 0 {
		attrs = append(attrs, slog.Int("dropped", dropped))
	}
	g.logger.LogAttrs(ctx, level, "guest says", attrs...)
}

// take is a token bucket.
func (g *guestLog) take() (dropped int, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if !g.last.IsZero() {
		g.tokens = min(logBurst, g.tokens+max(0, now.Sub(g.last).Seconds())*logRate)
	}
	g.last = now
	if g.tokens < 1 {
		g.dropped++
		return 0, false
	}
	g.tokens--
	dropped, g.dropped = g.dropped, 0
	return dropped, true
}

// What of a guest's standard output is kept: the beginning of each line, in bytes, and of each call so many
// lines, lest the trace of one crash fill the log.
const (
	maxLine  = 512
	maxLines = 8
)

// A lineWriter makes log lines of a guest's standard output or error. One guest writes to it at a time.
type lineWriter struct {
	log    *guestLog
	level  slog.Level
	source string
	line   []byte
	first  string // line of the call: how a Go guest explains its end
	lines  int    // of the call
	fuel   *tank  // pays
}

// begin tells that a call begins.
func (w *lineWriter) begin() { w.first, w.lines = "", 0 }

// writeShare is how many bytes of output are a unit of fuel.
const writeShare = 4

// Write never fails. A guest that cannot pay for it ends here.
func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	w.fuel.spend(int64(n / writeShare))
	for len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte{'\n'})
		w.line = append(w.line, line[:min(len(line), maxLine-len(w.line))]...)
		if ended {
			w.flush()
		}
		p = rest
	}
	return n, nil
}

func (w *lineWriter) flush() {
	if len(w.line) == 0 {
		return
	}
	if w.first == "" {
		w.first = printable(w.line, maxLine)
	}
	if w.lines++; w.lines <= maxLines {
		w.log.write(w.level, w.source, w.line, maxLine)
	}
	w.line = w.line[:0]
}
