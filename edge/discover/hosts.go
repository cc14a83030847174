package discover

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const askers = 16 // questions that are under way at once

// hosts find the addresses of names. One whose servers fail has its last ones, unless forget is set.
type hosts struct {
	resolver resolver
	forget   bool
	known    map[question][]netip.Addr
}

type question struct {
	name string
	kind uint16 // A or AAAA
}

// reply is what became of a question.
type reply struct {
	question
	records
	err error
}

// book is the addresses of names.
type book struct {
	addresses map[string][]netip.Addr
	ttl       time.Duration
	missed    error // what could not be found or used
	silent    bool  // no question was answered
}

// find asks for the addresses of names.
func (h *hosts) find(ctx context.Context, names []string) book {
	var list []reply
	for _, name := range names {
		list = append(list, reply{question: question{name, dns.TypeA}}, reply{question: question{name, dns.TypeAAAA}})
	}
	h.askAll(ctx, list)
	b := book{addresses: map[string][]netip.Addr{}, ttl: maxPause, silent: len(list) > 0}
	known := make(map[question][]netip.Addr, len(list))
	for i := range list {
		r := &list[i]
		switch {
		case r.err == nil:
			b.silent, b.ttl = false, min(b.ttl, r.ttl)
			known[r.question] = r.addresses
		case !h.forget:
			known[r.question] = h.known[r.question]
			fallthrough
		default:
			b.ttl = 0 // to be asked for again soon
		}
		b.addresses[r.name] = append(b.addresses[r.name], known[r.question]...)
		b.miss(r)
	}
	h.known = known
	return b
}

// miss keeps the first thing that went wrong: more would change from look to look.
func (b *book) miss(r *reply) {
	err := r.err
	if r.refused > 0 && err == nil {
		err = fmt.Errorf("dns %s %s: %d addresses that no backend can have", r.name, dns.TypeToString[r.kind], r.refused)
	}
	if b.missed == nil {
		b.missed = err
	}
}

func (h *hosts) askAll(ctx context.Context, list []reply) {
	next := make(chan *reply)
	var wg sync.WaitGroup
	for range min(askers, len(list)) {
		wg.Go(func() { h.work(ctx, next) })
	}
	for i := range list {
		next <- &list[i]
	}
	close(next)
	wg.Wait()
}

// work asks what comes until there is no more.
func (h *hosts) work(ctx context.Context, next <-chan *reply) {
	for r := range next {
		h.ask(ctx, r)
	}
}

func (h *hosts) ask(ctx context.Context, r *reply) {
	m, err := h.resolver.ask(ctx, r.name, r.kind)
	if err != nil {
		r.err = err
		return
	}
	r.records = read(m.Answer, r.name, r.kind)
}
