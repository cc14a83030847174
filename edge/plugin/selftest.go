package plugin

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/store"
)

// SelfTest lets the instances decide n synthetic requests: each decision must name a row of the table or
// none, and no fault may happen. Counters, usage and store are not the strategy's meanwhile. Call it before
// the guests serve.
func (g *Guests) SelfTest(ctx context.Context, n int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	trial := shared{new(Counters), store.New(store.Options{}).Namespace(""), new(Usage)}
	for slot := range g.free.slots {
		share := (n + slot) / len(g.free.slots)
		if err := g.testLocked(ctx, slot, share, trial); err != nil {
			return fmt.Errorf("self-test: %w", err)
		}
	}
	return nil
}

func (g *Guests) testLocked(ctx context.Context, slot, n int, trial shared) error {
	i, err := g.catchLocked(ctx, slot)
	if i == nil {
		return err
	}
	if err := i.test(ctx, n, trial); err != nil {
		g.discard(i)
		return err
	}
	g.free.give(i)
	return nil
}

// Try tells whether the guests would take a table: it makes one more instance, gives it the table and n
// synthetic requests, and frees it.
func (g *Guests) Try(ctx context.Context, s *balance.Set, n int) error {
	i, err := g.start(ctx, s)
	if err != nil {
		return err
	}
	defer i.close()
	trial := shared{new(Counters), store.New(store.Options{}).Namespace(""), new(Usage)}
	if err := i.test(ctx, n, trial); err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	return nil
}

func (i *instance) test(ctx context.Context, n int, trial shared) error {
	own := i.shared
	i.shared = trial
	i.spent.add(own.usage)
	defer func() { i.shared, i.spent = own, spent{} }()
	var d balance.Decision
	for k := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		d.Reset()
		if fault := i.pick(synthetic(k), &d); fault != nil {
			return fmt.Errorf("request %d: %w", k, fault)
		}
	}
	return nil
}

// synthetic is a request that no client made; requests of different numbers differ in most of what can be
// seen.
func synthetic(n int) *balance.Request {
	ip := [16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8}
	binary.BigEndian.PutUint64(ip[8:], uint64(n)*0x9e3779b97f4a7c15)
	r := &balance.Request{
		ClientIP: netip.AddrFrom16(ip), Method: []byte("GET"), Scheme: []byte("https"),
		Authority: []byte("self-test.invalid"), Path: fmt.Appendf(nil, "/self-test/%d", n),
		Header: syntheticHeader{n}, Protocol: []string{"h1", "h2", "h3"}[n%3], Route: "self-test",
	}
	switch n % 4 {
	case 1:
		r.ClientIP = netip.AddrFrom4([4]byte{192, 0, 2, byte(n)})
	case 2:
		r.Query, r.HasQuery, r.SNI = fmt.Appendf(nil, "id=%d", n), true, "self-test.invalid"
	case 3:
		r.Method, r.Country, r.ClientIP = []byte("POST"), "NZ", netip.Addr{}
	}
	return r
}

// syntheticHeader has a value for each name in three of four requests.
type syntheticHeader struct{ n int }

func (h syntheticHeader) Get(name string) ([]byte, bool) {
	if h.n%4 == 0 {
		return nil, false
	}
	return fmt.Appendf(nil, "%s-%d", name, h.n), true
}
