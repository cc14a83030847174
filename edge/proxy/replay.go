package proxy

import (
	"errors"
	"io"
	"sync"

	"github.com/wedge-lb/wedge/edge/http1"
)

// A replay keeps what has come of a body while it is sent, so that another attempt can send it as well. A
// goroutine reads the client's side, ahead of the backend's by as much as may be kept: an attempt that ends does
// not end the read that waits for the client. A body that turns out to be larger is no longer kept; its rest is
// read where it is wanted. The zero value keeps nothing.
type replay struct {
	src  io.Reader // nil = nothing is kept
	most int       // bytes that are kept
	done chan struct{}

	mu    sync.Mutex
	news  sync.Cond
	kept  []byte
	at    int   // of kept that this attempt has read
	err   error // of src, behind kept
	large bool  // there is more than most: the rest is with src
	over  bool  // this attempt has ended
	last  bool  // there will be no other
	begun bool  // an attempt has read
}

var errAttemptOver = errors.New("proxy: the attempt is over")

// keepBody has the body kept, if it may have to be sent again.
func (x *Exchange) keepBody() {
	r, rule := &x.Request, &x.route.Retry
	most := rule.BodyBytes
	if r.Body == nil || r.Buffered != nil || rule.On&^OnConnectError == 0 || rule.Attempts < 2 ||
		r.Length > most || most == 0 || !x.idempotent() {
		return
	}
	first := int64(smallKept)
	if r.Length != http1.Unknown {
		most, first = r.Length, r.Length+1
	}
	x.replay.start(r.Body, int(most), int(min(first, most+1)))
	r.Body = &x.replay
}

func (b *replay) start(src io.Reader, most, first int) {
	b.src, b.most, b.done = src, most, make(chan struct{})
	b.at, b.err, b.large, b.over, b.last, b.begun = 0, nil, false, false, false, false
	b.news.L = &b.mu
	b.kept = takeKept(first)
	go b.fetch()
}

// fetch reads the body until it ends or is too large. What is behind kept is its alone.
func (b *replay) fetch() {
	defer close(b.done)
	for b.fetchSome(b.room()) {
	}
}

// room is where more can be read to.
func (b *replay) room() []byte {
	if len(b.kept) == cap(b.kept) {
		grown := append(takeKept(min(4*cap(b.kept), b.most+1)), b.kept...)
		b.mu.Lock()
		giveKept(b.kept)
		b.kept = grown
		b.mu.Unlock()
	}
	return b.kept[len(b.kept):min(cap(b.kept), b.most+1)]
}

func (b *replay) fetchSome(p []byte) (more bool) {
	n, err := b.src.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept, b.err = b.kept[:len(b.kept)+n], err
	b.large = len(b.kept) > b.most
	b.news.Broadcast()
	return err == nil && !b.large
}

// Read is the attempt's in progress.
func (b *replay) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begun = true
	for {
		switch {
		case b.over:
			return 0, errAttemptOver
		case b.at < len(b.kept):
			n := copy(p, b.kept[b.at:])
			b.at += n
			return n, nil
		case b.err != nil:
			b.letGoLocked()
			return 0, b.err
		case b.large:
			b.last = true
			b.letGoLocked()
			return b.readOnLocked(p)
		}
		b.news.Wait()
	}
}

// readOnLocked reads of what is not kept.
func (b *replay) readOnLocked(p []byte) (int, error) {
	b.mu.Unlock()
	defer b.mu.Lock()
	return b.src.Read(p)
}

// letGoLocked frees what was kept, if nobody will want it again.
func (b *replay) letGoLocked() {
	if b.last && b.kept != nil && (b.err != nil || b.large) && b.at == len(b.kept) {
		giveKept(b.kept)
		b.kept, b.at = nil, 0
	}
}

// Close ends the attempt's Read.
func (b *replay) Close() error {
	b.mu.Lock()
	b.over = true
	large := b.large
	b.news.Broadcast()
	b.mu.Unlock()
	if c, ok := b.src.(io.Closer); ok && large {
		return c.Close()
	}
	return nil
}

// rewind makes b ready for the next attempt.
func (b *replay) rewind() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at, b.over = 0, false
}

// keeps tells whether the body can be sent again: all of it that has come is kept, and it has not failed.
func (b *replay) keeps() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.src != nil && !b.large && (b.err == nil || b.err == io.EOF)
}

// whole tells whether an attempt that may have begun has taken nothing that the next would miss.
func (b *replay) whole() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.src == nil || !b.large || !b.begun
}

// settle says that there will be no other attempt.
func (b *replay) settle() {
	if b.src == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = true
	b.letGoLocked()
}

// end frees all. The exchange is over; a read that waits for the client is ended.
func (b *replay) end() {
	if b.src == nil {
		return
	}
	select {
	case <-b.done:
	default:
		if c, ok := b.src.(io.Closer); ok {
			_ = c.Close() // it fails only where there is nothing to interrupt any more
		}
		<-b.done
	}
	giveKept(b.kept)
	b.src, b.kept = nil, nil
}

// The sizes of bodies that share memory; larger ones have their own.
const (
	smallKept = 8<<10 + 1
	largeKept = 64<<10 + 1
)

var (
	smallBodies = sync.Pool{New: func() any { return new([smallKept]byte) }}
	largeBodies = sync.Pool{New: func() any { return new([largeKept]byte) }}
)

// takeKept gives room for n bytes.
func takeKept(n int) []byte {
	switch {
	case n <= smallKept:
		return smallBodies.Get().(*[smallKept]byte)[:0]
	case n <= largeKept:
		return largeBodies.Get().(*[largeKept]byte)[:0]
	}
	return make([]byte, 0, n)
}

func giveKept(b []byte) {
	switch cap(b) {
	case smallKept:
		smallBodies.Put((*[smallKept]byte)(b[:smallKept]))
	case largeKept:
		largeBodies.Put((*[largeKept]byte)(b[:largeKept]))
	}
}
