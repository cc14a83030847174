package http2

import "time"

const (
	// Premature is how young a stream is whose reset counts as premature.
	Premature = time.Second

	resetSample  = 500  // streams before the share of premature resets counts
	resetShare   = 2    // one in so many, at most
	resetsMost   = 1000 // of any kind in a resetSpan, if they are one in resetPart of its streams
	resetPart    = 8    // a busy connection's clients may change their minds
	resetSpan    = time.Minute
	uselessMost  = 2000 // frames at once that do nothing
	uselessEvery = 5 * time.Millisecond
	// UselessUpdate is the increment below which a window update does nothing to speak of.
	UselessUpdate = 16
)

// A Budget is what a client may have us do for nothing: reset streams, of which we notice too late that they
// were not wanted, and frames that move nothing.
type Budget struct {
	opened, premature int // streams of late
	resets, begun     int // in the span
	resetsSince       time.Time
	useless           int
	uselessSince      time.Time
}

// Opened notes that a stream was opened.
func (b *Budget) Opened() {
	b.begun++
	if b.opened++; b.opened >= 4*resetSample { // what was long ago counts for less
		b.opened, b.premature = b.opened/2, b.premature/2
	}
}

// Useful notes that something was moved, which useless frames may come with.
func (b *Budget) Useful() {
	if b.useless > 0 {
		b.useless--
	}
}

// Reset notes a stream that was reset by the client, or because of it, after so long a life.
func (b *Budget) Reset(now time.Time, life time.Duration) *Error {
	if now.Sub(b.resetsSince) > resetSpan {
		b.resets, b.begun, b.resetsSince = 0, 0, now
	}
	b.resets++
	if life < Premature {
		b.premature++
	}
	if b.resets >= resetsMost && b.resets*resetPart >= b.begun ||
		b.opened >= resetSample && b.premature*resetShare >= b.opened {
		return errResets
	}
	return nil
}

// Useless notes a frame that does nothing.
func (b *Budget) Useless(now time.Time) *Error {
	if b.uselessSince.IsZero() {
		b.uselessSince = now
	}
	if b.useless++; b.useless <= uselessMost {
		return nil
	}
	earned := int(now.Sub(b.uselessSince) / uselessEvery)
	b.uselessSince = now
	if b.useless -= min(earned, b.useless); b.useless > uselessMost {
		return errFlood
	}
	return nil
}
