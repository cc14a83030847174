package health

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
)

// A mark is what speaks against one backend at one address.
type mark struct {
	scheme, address string
	connect, bad    atomic.Int32 // connect errors, and failures of any kind, in a row
	window          window
	out             atomic.Bool  // ejected: nothing counts
	since           atomic.Int64 // what began before, in Unix ns, does not count

	// Guarded by the ejector's mu:
	until  time.Time     // of the last ejection
	length time.Duration // of the last ejection
	again  int           // ejections that followed each other closely
}

// is tells whether b is what m is about: a row of another address is another server's.
func (m *mark) is(b *balance.Backend) bool {
	return m != nil && m.address == b.Address && m.scheme == b.Scheme
}

// A verdict is what a result says of the backend.
type verdict uint8

const (
	silent verdict = iota
	good
	failed
)

func judge(r *balance.Result) verdict {
	switch r.Kind {
	case balance.ClientGone, balance.Busy, balance.BadRequestBody, balance.Severed:
		return silent
	case balance.Answered:
		if r.Status < 500 {
			return good
		}
	}
	return failed
}

// well counts a good result.
func (m *mark) well(rules *Passive, r *balance.Result) {
	if m.out.Load() {
		return
	}
	if m.bad.Load() != 0 {
		m.bad.Store(0)
		m.connect.Store(0)
	}
	if rules.ErrorRate > 0 {
		m.window.add(turn(ended(r), rules.Window), 0)
	}
}

// fail counts a failure, and tells whether it was one too many.
func (m *mark) fail(rules *Passive, r *balance.Result) (reason, bool) {
	at := ended(r)
	if m.out.Load() || at.Add(-r.Total).UnixNano() < m.since.Load() {
		return reason{}, false
	}
	connect := int32(0)
	if r.Kind == balance.ConnectFailed {
		connect = m.connect.Add(1)
	} else {
		m.connect.Store(0) // it was connected to
	}
	row, total, bad := m.bad.Add(1), uint64(0), uint64(0)
	if rules.ErrorRate > 0 {
		now := turn(at, rules.Window)
		m.window.add(now, 1)
		total, bad = m.window.sum(now)
	}
	switch {
	case rules.ConnectErrors > 0 && int(connect) >= rules.ConnectErrors:
		return reason{format: "%d connect errors in a row", n: int(connect)}, true
	case rules.Consecutive5xx > 0 && int(row) >= rules.Consecutive5xx:
		return reason{format: "%d failures in a row", n: int(row)}, true
	case total > 0 && total >= uint64(rules.MinRequests) && float64(bad) >= rules.ErrorRate*float64(total):
		return reason{format: "%d of %d requests failed", n: int(bad), of: int(total)}, true
	}
	return reason{}, false
}

// clean forgets what was counted.
func (m *mark) clean(now time.Time) {
	m.since.Store(now.UnixNano())
	m.connect.Store(0)
	m.bad.Store(0)
	m.window.clear()
	m.out.Store(false)
}

// ended is when a result came about.
func ended(r *balance.Result) time.Time {
	if r.Ended.IsZero() {
		return time.Now()
	}
	return r.Ended
}

// A reason is why a backend is ejected. It is written out only if it is.
type reason struct {
	format string
	n, of  int
}

func (r reason) String() string {
	if r.of > 0 {
		return fmt.Sprintf(r.format, r.n, r.of)
	}
	return fmt.Sprintf(r.format, r.n)
}
