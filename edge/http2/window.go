package http2

const (
	// MaxWindow is the most a window may be.
	MaxWindow = 1<<31 - 1
	// DefaultWindow is what windows begin with (RFC 9113 6.9.2).
	DefaultWindow = 65535
)

// A Window is how much may be sent. It can be negative, after a change of settings.
type Window int32

// Grow adds n, which can be negative. The error is of the stream, or of the connection if stream is 0.
func (w *Window) Grow(n int32, stream uint32) *Error {
	sum := int64(*w) + int64(n)
	switch {
	case sum >= -MaxWindow-1 && sum <= MaxWindow:
		*w = Window(sum)
		return nil
	case stream == 0:
		return errWindow
	}
	return errWindowOf
}

// A Credit is what the peer may send, and what it is to be told that it may send again.
type Credit struct {
	full int32 // what the window was opened to
	left int32 // what the peer may send
	owed int32 // what has been used up, and not given back to it
}

// Start begins with a window of n.
func (c *Credit) Start(n int32) { *c = Credit{full: n, left: n} }

// Take notes that n bytes came. It is false if that was more than the window.
func (c *Credit) Take(n int) bool {
	if n > int(c.left) {
		return false
	}
	c.left -= int32(n)
	return true
}

// Return notes that n bytes are used up, and gives what to tell the peer now: 0, or as much as half the
// window.
func (c *Credit) Return(n int) int32 {
	c.owed += int32(n)
	if c.owed < c.full/2 {
		return 0
	}
	n32 := c.owed
	c.left, c.owed = c.left+n32, 0
	return n32
}
