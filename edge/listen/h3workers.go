package listen

import (
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

const (
	h3Idle   = 256                    // workers that are kept for what comes
	h3Sweep  = 100 * time.Millisecond // between two looks for clients that have left
	h3Retire = 50                     // sweeps: workers that none of so many needed end
)

// h3Workers are the goroutines that serve the streams of all connections of a listener. They stay for a while,
// with the stack and the memory that a request took.
type h3Workers struct {
	mu    sync.Mutex
	all   map[*h3Worker]struct{}
	idle  []*h3Worker // the last is the next
	least int         // of idle, since the last retirement
	over  bool
	wg    sync.WaitGroup
}

// An h3Worker serves one stream at a time.
type h3Worker struct {
	stream *h3Stream
	jobs   chan h3Job
}

type h3Job struct {
	c   *h3Conn
	str *quic.Stream
}

func newH3Workers() *h3Workers { return &h3Workers{all: map[*h3Worker]struct{}{}} }

// give has a stream served.
func (p *h3Workers) give(c *h3Conn, str *quic.Stream) {
	p.next().jobs <- h3Job{c, str}
}

func (p *h3Workers) next() *h3Worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle) - 1; n >= 0 {
		w := p.idle[n]
		p.idle = p.idle[:n]
		p.least = min(p.least, n)
		return w
	}
	w := &h3Worker{stream: newH3Stream(), jobs: make(chan h3Job, 1)}
	p.all[w] = struct{}{}
	p.wg.Go(func() { p.work(w) })
	return w
}

func (p *h3Workers) work(w *h3Worker) {
	for job := range w.jobs {
		w.stream.serve(job.c, job.str)
		if !p.rest(w) {
			return
		}
	}
}

// rest is false if w is not needed any more.
func (p *h3Workers) rest(w *h3Worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || len(p.idle) >= h3Idle {
		delete(p.all, w)
		return false
	}
	p.idle = append(p.idle, w)
	return true
}

// sweep looks for clients that have left until done is closed.
func (p *h3Workers) sweep(done <-chan struct{}) {
	tick := time.NewTicker(h3Sweep)
	defer tick.Stop()
	for turn := 1; ; turn++ {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		p.look()
		if turn%h3Retire == 0 {
			p.retire()
		}
	}
}

func (p *h3Workers) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.all {
		w.stream.look()
	}
}

// retire ends the workers that were idle all the time.
func (p *h3Workers) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropLocked(p.least)
	p.least = len(p.idle)
}

func (p *h3Workers) dropLocked(n int) {
	for _, w := range p.idle[:n] {
		close(w.jobs)
		delete(p.all, w)
	}
	p.idle = append(p.idle[:0], p.idle[n:]...)
}

// end waits until all have ended; give must not be called any more.
func (p *h3Workers) end() {
	p.mu.Lock()
	p.over = true
	p.dropLocked(len(p.idle))
	p.mu.Unlock()
	p.wg.Wait()
}
