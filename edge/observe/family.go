package observe

import (
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// names identify a handle by its labels; what is not used is empty.
type names [2]string

func namesOf(a, b string) names {
	return names{strings.ToValidUTF8(a, "\uFFFD"), strings.ToValidUTF8(b, "\uFFFD")}
}

// A family is the handles of one kind, by name. Handles live from one configuration to the next as long as
// each asks for them.
type family[H any] struct {
	make    func() *H
	collect func(names, *H, chan<- prometheus.Metric)

	mu      sync.Mutex
	handles map[names]*handle[H]
}

type handle[H any] struct {
	value *H
	asked uint64 // the mark at which it was last asked for
}

func (f *family[H]) get(k names, mark uint64) *H {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.handles[k]
	if h == nil {
		if f.handles == nil {
			f.handles = map[names]*handle[H]{}
		}
		h = &handle[H]{value: f.make()}
		f.handles[k] = h
	}
	h.asked = mark
	return h.value
}

func (f *family[H]) drop(k names) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.handles, k)
}

// retain drops the handles that were not asked for since a mark.
func (f *family[H]) retain(mark uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, h := range f.handles {
		if h.asked < mark {
			delete(f.handles, k)
		}
	}
}

func (f *family[H]) gather(out chan<- prometheus.Metric) {
	f.mu.Lock()
	list := make(map[names]*H, len(f.handles))
	for k, h := range f.handles {
		list[k] = h.value
	}
	f.mu.Unlock()
	for k, h := range list {
		f.collect(k, h, out)
	}
}
