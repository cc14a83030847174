package http1

import "sync"

// An Abort ends an exchange early from another goroutine, without a context to allocate: the side that talks
// to the backend attaches what to interrupt, the side that serves the client calls Abort when it has left.
// The zero value is ready. It is safe for concurrent use.
type Abort struct {
	mu      sync.Mutex
	target  Interrupter
	aborted bool
}

// An Interrupter stops its owner's blocked calls; it must be quick and may be called once at most.
type Interrupter interface{ Interrupt() }

// Attach names what to interrupt until Detach. It is false if the exchange was aborted already.
func (a *Abort) Attach(t Interrupter) bool {
	if a == nil {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.target = t
	return !a.aborted
}

// Detach makes Abort have nothing to interrupt. When it returns, no Interrupt runs.
func (a *Abort) Detach() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.target = nil
}

// Abort interrupts what is attached, now or later.
func (a *Abort) Abort() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.aborted = true
	if a.target != nil {
		a.target.Interrupt()
		a.target = nil
	}
}

// Aborted tells whether Abort was called.
func (a *Abort) Aborted() bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.aborted
}

// Reset makes a ready for the next exchange.
func (a *Abort) Reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.target, a.aborted = nil, false
}
