package edge

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// tasks are the loops that run while the Server does. They are joined by stop.
type tasks struct {
	failed func(error)

	mu      sync.Mutex
	running map[string]*task
	last    []*task
}

// task is one loop.
type task struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func newTasks(failed func(error)) *tasks {
	return &tasks{failed: failed, running: map[string]*task{}}
}

// start runs a loop until end or stop. An error of it ends the Server.
func (t *tasks) start(name string, run func(context.Context) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running[name] = t.launch(name, run)
}

// startLast is start for a loop that ends after all others.
func (t *tasks) startLast(name string, run func(context.Context) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, t.launch(name, run))
}

func (t *tasks) launch(name string, run func(context.Context) error) *task {
	ctx, cancel := context.WithCancel(context.Background())
	k := &task{cancel: cancel, done: make(chan struct{})}
	go t.loop(ctx, name, run, k.done)
	return k
}

func (t *tasks) loop(ctx context.Context, name string, run func(context.Context) error, done chan<- struct{}) {
	defer close(done)
	if err := run(ctx); err != nil && ctx.Err() == nil {
		t.failed(fmt.Errorf("%s: %w", name, err))
	}
}

// end stops one loop and waits for it.
func (t *tasks) end(name string) {
	t.mu.Lock()
	k := t.running[name]
	delete(t.running, name)
	t.mu.Unlock()
	if k != nil {
		k.stop()
	}
}

func (k *task) stop() {
	k.cancel()
	<-k.done
}

// stop ends all loops and waits for them, at most for d. It is false if some did not end; those that were to be
// last have been told all the same.
func (t *tasks) stop(d time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	patience := time.NewTimer(d)
	defer patience.Stop()
	ended := true
	for _, k := range t.running {
		k.cancel()
	}
	for _, k := range t.running {
		ended = ended && k.ends(patience.C)
	}
	for _, k := range t.last {
		k.stop()
	}
	clear(t.running)
	t.last = nil
	return ended
}

// ends waits for the end of a loop that was told to.
func (k *task) ends(patience <-chan time.Time) bool {
	select {
	case <-k.done:
		return true
	case <-patience:
		return false
	}
}
