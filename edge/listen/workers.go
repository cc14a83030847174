package listen

import "sync"

const (
	workersIdle = 256 // that are kept for what comes
	workersRest = 5   // seconds: those that were idle for so long end
)

// workers are the goroutines that serve the streams of all connections of a listener. They stay for a while,
// with the stack and the memory that a request took.
type workers[S served] struct {
	make func() S

	mu    sync.Mutex
	all   map[*worker[S]]struct{}
	idle  []*worker[S] // the last is the next
	least int          // of idle, since the last retirement
	over  bool
	wg    sync.WaitGroup
}

// served is a stream with the memory of its worker.
type served interface{ serve() }

// A worker serves one stream at a time: what its owner has put into stream, when start is called.
type worker[S served] struct {
	stream S
	run    chan struct{}
}

func newWorkers[S served](make func() S) *workers[S] {
	return &workers[S]{make: make, all: map[*worker[S]]struct{}{}}
}

func (w *worker[S]) start() { w.run <- struct{}{} }

// take gives a worker that is idle. It must be started, or given back.
func (p *workers[S]) take() *worker[S] {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle) - 1; n >= 0 {
		w := p.idle[n]
		p.idle = p.idle[:n]
		p.least = min(p.least, n)
		return w
	}
	w := &worker[S]{stream: p.make(), run: make(chan struct{}, 1)}
	p.all[w] = struct{}{}
	p.wg.Go(func() { p.work(w) })
	return w
}

func (p *workers[S]) work(w *worker[S]) {
	for range w.run {
		w.stream.serve()
		if !p.rest(w) {
			return
		}
	}
}

// giveBack takes a worker that was not started.
func (p *workers[S]) giveBack(w *worker[S]) {
	if !p.rest(w) {
		close(w.run)
	}
}

// rest is false if w is not needed any more.
func (p *workers[S]) rest(w *worker[S]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || len(p.idle) >= workersIdle {
		delete(p.all, w)
		return false
	}
	p.idle = append(p.idle, w)
	return true
}

// each calls do for every stream, of idle workers too.
func (p *workers[S]) each(do func(S)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.all {
		do(w.stream)
	}
}

// retire ends the workers that were idle since it was called before.
func (p *workers[S]) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropLocked(p.least)
	p.least = len(p.idle)
}

func (p *workers[S]) dropLocked(n int) {
	for _, w := range p.idle[:n] {
		close(w.run)
		delete(p.all, w)
	}
	p.idle = append(p.idle[:0], p.idle[n:]...)
}

// end waits until all have ended; take must not be called any more.
func (p *workers[S]) end() {
	p.mu.Lock()
	p.over = true
	p.dropLocked(len(p.idle))
	p.mu.Unlock()
	p.wg.Wait()
}
