package observe

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

// AccessOptions are how an access log is written.
type AccessOptions struct {
	Writer        io.Writer     // where the lines go; used by one goroutine
	RedactHeaders []string      // fields whose values are not written; of those a line has: host, user-agent
	Records       int           // the most that wait; more are dropped and counted; default 8192
	Bytes         int           // the most bytes of them; default 4 MiB
	Every         time.Duration // the longest that a record waits; default 100 ms
	Logger        *slog.Logger  // hears when lines cannot be written; default: discard
}

// An AccessLog writes one JSON object a request. Log may be called by any number of goroutines; a nil
// *AccessLog logs nothing.
type AccessLog struct {
	opt                 AccessOptions
	hideHost, hideAgent bool
	lanes               []lane
	maxRecords, maxData int // of a lane
	full                chan struct{}
	lost                atomic.Uint64 // records that could not be written
	out                 lineWriter
}

// NewAccessLog makes a log that writes once it is run.
func NewAccessLog(o AccessOptions) *AccessLog {
	o.Records = cmp.Or(o.Records, 8192)
	o.Bytes = cmp.Or(o.Bytes, 4<<20)
	o.Every = cmp.Or(o.Every, 100*time.Millisecond)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l := &AccessLog{opt: o, full: make(chan struct{}, 1)}
	l.lanes = make([]lane, shardsFor(runtime.GOMAXPROCS(0)))
	l.maxRecords, l.maxData = max(o.Records/len(l.lanes), 1), o.Bytes/len(l.lanes)
	l.out = lineWriter{to: o.Writer, log: o.Logger}
	for _, h := range o.RedactHeaders {
		l.hideHost = l.hideHost || strings.EqualFold(h, "host")
		l.hideAgent = l.hideAgent || strings.EqualFold(h, "user-agent")
	}
	return l
}

var redacted = []byte("REDACTED")

// Log leaves a copy of r to be written; if too many wait, it is dropped. shard is any number that differs
// between connections. It does not wait for the writer.
func (l *AccessLog) Log(shard uint32, r *Record) {
	if l == nil {
		return
	}
	n := &l.lanes[shard&uint32(len(l.lanes)-1)]
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.filling.add(r, l.maxRecords, l.maxData) {
		n.dropped++
		return
	}
	if len(n.filling.records) == l.maxRecords/2 {
		select {
		case l.full <- struct{}{}:
		default: // the writer was told already
		}
	}
}

// Dropped is the number of records that were not written: too many waited, or the writer failed.
func (l *AccessLog) Dropped() uint64 {
	if l == nil {
		return 0
	}
	total := l.lost.Load()
	for i := range l.lanes {
		n := &l.lanes[i]
		n.mu.Lock()
		total += n.dropped
		n.mu.Unlock()
	}
	return total
}

// Run writes until ctx ends, and then what was left by that time. It is called once.
func (l *AccessLog) Run(ctx context.Context) error {
	if l == nil {
		return nil
	}
	tick := time.NewTicker(l.opt.Every)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-l.full:
		}
		l.flush()
	}
	l.flush()
	return nil
}

func (l *AccessLog) flush() {
	for i := range l.lanes {
		b := l.lanes[i].take()
		for j := range b.records {
			r := &b.records[j]
			l.redact(r)
			l.out.buf = r.appendJSON(l.out.buf)
			l.lost.Add(l.out.added())
		}
	}
	l.lost.Add(l.out.flush())
}

func (l *AccessLog) redact(r *Record) {
	if l.hideHost && len(r.Host) > 0 {
		r.Host = redacted
	}
	if l.hideAgent && len(r.UserAgent) > 0 {
		r.UserAgent = redacted
	}
}
