package proxy

import (
	"sync/atomic"
	"time"
)

// expiry aborts an exchange whose route's time is over.
type expiry struct {
	headed, over atomic.Bool
	done         chan struct{}
}

// limit aborts x after d unless stop is called before; 0 = never. After stop, x can be used again.
func (x *Exchange) limit(d time.Duration) (stop func()) {
	if d <= 0 {
		return func() {}
	}
	e := &expiry{done: make(chan struct{})}
	x.expiry = e
	timer := time.AfterFunc(d, func() {
		defer close(e.done)
		if e.headed.Load() {
			return // the limit is to the head: an answer on its way may take its time
		}
		e.over.Store(true)
		x.Abort.Abort()
	})
	return func() {
		if !timer.Stop() {
			<-e.done
		}
	}
}

// expired tells whether the route's time is over.
func (x *Exchange) expired() bool { return x.expiry != nil && x.expiry.over.Load() }

// answering lifts the limit: the head has arrived.
func (x *Exchange) answering() {
	if x.expiry != nil {
		x.expiry.headed.Store(true)
	}
}
