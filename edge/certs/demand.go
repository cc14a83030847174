package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	denyFor    = time.Minute      // how long a denied name is not asked about again
	failFor    = 15 * time.Minute // how long a name whose order failed is not tried again
	maxDenied  = 4096
	decideTime = 5 * time.Second
	idleAfter  = 30 * 24 * time.Hour // a name nobody asked for in this time is not renewed
)

var errDenied = errors.New("name denied")

// rule is a compiled OnDemand.
type rule struct {
	exact  map[string]bool
	suffix map[string]bool // ".example.com" for "*.example.com"
	any    bool            // "*"
	wait   time.Duration
	names  int
	decide func(ctx context.Context, host string) error
}

func newRule(o *OnDemand) (*rule, error) {
	r := &rule{
		exact: map[string]bool{}, suffix: map[string]bool{}, decide: o.Decide,
		wait: orDefault(o.Wait, 5*time.Second), names: orDefault(o.Names, 1000),
	}
	if len(o.Allow) == 0 {
		return nil, errors.New("on demand: no allow rule; anyone could order certificates for any name")
	}
	for _, s := range o.Allow {
		host, err := hostPattern(s)
		switch {
		case err != nil:
			return nil, fmt.Errorf("on demand: allow: %w", err)
		case host == "*" && o.Decide == nil:
			return nil, errors.New("on demand: allow \"*\": anyone could order certificates for any name")
		case host == "*":
			r.any = true
		case strings.HasPrefix(host, "*."):
			r.suffix[host[1:]] = true
		default:
			r.exact[host] = true
		}
	}
	return r, nil
}

// allows reports whether the rule admits the canonical name, at no cost worth naming.
func (r *rule) allows(name string) bool {
	return r.exact[name] || r.suffix[afterLabel(name)] || (r.any && name != "")
}

// demand holds the names that handshakes asked for: bounded in number, in new ones and in orders a second,
// with a memory for those denied. It is safe for concurrent use.
type demand struct {
	now    func() time.Time
	wanted chan *managed // read by Run
	fresh  *bucket       // names looked at for the first time
	orders *bucket       // names not stored yet

	mu     sync.Mutex
	names  map[string]*managed
	denied map[string]time.Time // until
}

func newDemand(now func() time.Time) *demand {
	return &demand{
		now:    now,
		wanted: make(chan *managed, 64),
		fresh:  &bucket{burst: 100, every: 50 * time.Millisecond},
		orders: &bucket{burst: 10, every: 6 * time.Second},
		names:  map[string]*managed{},
		denied: map[string]time.Time{},
	}
}

// certificate returns the certificate for name, which r allows, ordering it if need be and waiting no longer
// than r says. A denied name has none: nil without an error.
func (d *demand) certificate(ctx context.Context, r *rule, name string) (*tls.Certificate, error) {
	c, err := d.entry(r, name)
	if errors.Is(err, errDenied) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if cert := c.cert.Load(); cert != nil {
		return cert, nil
	}
	timer := time.NewTimer(r.wait)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	if cert := c.cert.Load(); cert != nil {
		return cert, nil
	}
	if errors.Is(c.problem(), errDenied) {
		return nil, nil
	}
	return nil, fmt.Errorf("%s: %w", name, errPending)
}

func (d *demand) entry(r *rule, name string) (*managed, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	c := d.names[name]
	if c == nil {
		if until, ok := d.denied[name]; ok && now.Before(until) {
			return nil, errDenied
		}
		if !d.fresh.take(now) {
			return nil, errTooManyNames
		}
		c = newManaged(name)
		c.rule.Store(r)
		select {
		case d.wanted <- c:
		default:
			return nil, errTooManyNames
		}
		d.makeRoomLocked(r.names)
		d.names[name] = c
	}
	c.rule.Store(r)
	c.used.Store(now.UnixNano())
	return c, nil
}

// makeRoomLocked drops the names used longest ago until one more fits.
func (d *demand) makeRoomLocked(names int) {
	for len(d.names) >= names {
		var oldest *managed
		for _, c := range d.names {
			if oldest == nil || c.used.Load() < oldest.used.Load() {
				oldest = c
			}
		}
		d.removeLocked(oldest)
	}
}

func (d *demand) removeLocked(c *managed) {
	if d.names[c.host] == c {
		delete(d.names, c.host)
		close(c.gone)
	}
}

// drop forgets c and, for a time, refuses its name. A zero time only forgets.
func (d *demand) drop(c *managed, refuse time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removeLocked(c)
	if refuse <= 0 {
		return
	}
	for name := range d.denied {
		if len(d.denied) < maxDenied {
			break
		}
		delete(d.denied, name)
	}
	d.denied[c.host] = d.now().Add(refuse)
}

// retain drops the names that keep does not want, after a reload.
func (d *demand) retain(keep func(host string) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for host, c := range d.names {
		if !keep(host) {
			d.removeLocked(c)
		}
	}
}

func (d *demand) all() []*managed {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]*managed, 0, len(d.names))
	for _, c := range d.names {
		all = append(all, c)
	}
	return all
}
