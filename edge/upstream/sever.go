package upstream

import (
	"errors"
	"sync"

	"github.com/wedge-lb/wedge/edge/balance"
)

// Sever closes the connections to b, those in use as well: exchanges end with a Severed failure, or a body or
// tunnel that is cut. Exchanges that begin later are served; who wants none has to see to it that none are
// sent, and call Sever again for those that had chosen b before. Backends of a pool that share an address share
// their connections. It reaches backends that have left, too.
func (t *Transport) Sever(b *balance.Backend) {
	k := key{b.Pool, b.Scheme, b.Address}
	for _, up := range t.departed.of(k) {
		up.sever()
	}
	if up := (*t.backends.Load())[k]; up != nil {
		up.sever()
	}
}

// errSevered is of an exchange that Sever ended.
var errSevered = errors.New("upstream: ended by an operator")

// severedBody is the error of a body that Sever cut.
var severedBody error = &balance.Failure{Kind: balance.Severed, Sent: true, Err: errSevered}

func (b *backend) sever() {
	b.mu.Lock()
	idle := b.idle
	b.idle = nil
	for _, c := range idle {
		b.unlinkLocked(c)
	}
	var used []*conn
	for c := b.conns; c != nil; c = c.next {
		c.severed.Store(true)
		used = append(used, c)
	}
	b.mu.Unlock()
	for _, c := range used {
		c.closeSocket() // its owner counts it out
	}
	for _, c := range idle {
		c.closeSocket()
		b.leave()
	}
	if b.h2 != nil {
		b.h2.sever()
	}
}

func (t *h2) sever() {
	for _, c := range t.open() {
		c.severed.Store(true)
		_ = c.Close()
	}
}

// linkLocked puts c into the list of open connections.
func (b *backend) linkLocked(c *conn) {
	if c.next = b.conns; c.next != nil {
		c.next.prev = c
	}
	b.conns = c
}

// unlinkLocked takes c out of it.
func (b *backend) unlinkLocked(c *conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		b.conns = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
}

// departed are the backends that have left and may have exchanges in progress still.
type departed struct {
	mu       sync.Mutex
	backends map[*backend]struct{}
}

func (d *departed) enter(b *backend) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.backends[b] = struct{}{}
}

// add takes in a backend that has left, unless it has nothing in progress.
func (d *departed) add(b *backend) {
	d.enter(b)
	if b.over() {
		d.remove(b)
	}
}

func (d *departed) remove(b *backend) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.backends, b)
}

func (d *departed) of(k key) []*backend {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []*backend
	for b := range d.backends {
		if b.key == k {
			list = append(list, b)
		}
	}
	return list
}

// over tells whether a backend that has left has no exchange in progress any more.
func (b *backend) over() bool {
	if b.h2 != nil {
		b.h2.mu.Lock()
		defer b.h2.mu.Unlock()
		return b.h2.closed && b.h2.active == 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed && b.open == 0
}
