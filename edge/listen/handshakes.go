package listen

import "sync"

// handshakes is the list of those in progress on TCP, oldest first. When there are too many, the oldest gives
// way: an honest one is over in a few round trips, so clients that stall lose to those that do not. It is
// safe for concurrent use.
type handshakes struct {
	mu          sync.Mutex
	first, last *tcpConn
	n           int
}

// begin adds c and gives the one to close for it, or nil.
func (h *handshakes) begin(c *tcpConn, most int) (oldest *tcpConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n >= most {
		oldest = h.first
		h.removeLocked(oldest)
	}
	c.prev = h.last
	if h.last != nil {
		h.last.next = c
	} else {
		h.first = c
	}
	h.last = c
	c.listed = true
	h.n++
	return oldest
}

func (h *handshakes) end(c *tcpConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.removeLocked(c)
}

func (h *handshakes) removeLocked(c *tcpConn) {
	if !c.listed {
		return
	}
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		h.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		h.last = c.prev
	}
	c.prev, c.next, c.listed = nil, nil, false
	h.n--
}
