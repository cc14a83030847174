package balance

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Limits bound what a pool takes on at a time. The zero value bounds nothing.
type Limits struct {
	Pool    int64         // requests in flight in the pool; 0 = no bound
	Backend int64         // requests in flight at each backend; 0 = no bound
	Reserve int           // percent of both that pinned requests alone may use
	Queue   int           // requests that may wait for room
	Wait    time.Duration // how long one waits
}

// bounds are Limits worked out: for new requests, and for pinned ones.
type bounds struct {
	Limits
	pool, backend [2]int64
}

func newBounds(l Limits) *bounds {
	return &bounds{l, split(l.Pool, l.Reserve), split(l.Backend, l.Reserve)}
}

func split(bound int64, reserve int) [2]int64 {
	if bound <= 0 {
		return [2]int64{math.MaxInt64, math.MaxInt64}
	}
	return [2]int64{bound - bound*int64(reserve)/100, bound}
}

// class is the place in bounds of a request.
func class(pinned bool) int {
	if pinned {
		return 1
	}
	return 0
}

// A Gate keeps a pool within its Limits and the requests that wait for room in order. Without waiters it costs
// an atomic step for each of the two places that a request takes: the pool's (Enter, Leave) and the
// backend's (Backend.Begin, Backend.End). It is safe for concurrent use.
type Gate struct {
	pool     *Pool
	bounds   atomic.Pointer[bounds]
	inFlight atomic.Int64  // places of the pool that are taken
	ended    atomic.Uint64 // attempts that ever ended
	waiting  atomic.Int64  // length of queue

	mu    sync.Mutex
	queue queue
	pace  pace
}

// SetLimits bounds what the pool takes on from now on. Requests in flight stay, though they be too many; those
// that wait are looked at again. Requests that began before the pool had any limits do not count for
// Limits.Pool.
func (p *Pool) SetLimits(l Limits) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.gate.Load()
	if g == nil {
		if l.Pool == 0 && l.Backend == 0 {
			return
		}
		g = &Gate{pool: p, queue: newQueue()}
		g.bounds.Store(newBounds(l))
		p.gate.Store(g)
		return
	}
	g.bounds.Store(newBounds(l))
	g.reexamine()
}

// Gate is what keeps the pool within its limits; nil = it never had any.
func (p *Pool) Gate() *Gate { return p.gate.Load() }

// Enter takes a place of the pool, if one is free for the request. Leave gives it back.
func (g *Gate) Enter(pinned bool) bool {
	if g.waiting.Load() > 0 && g.bounds.Load().Limits.Pool > 0 {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.grantLocked(nil) // who came first is first
	}
	return g.enter(pinned)
}

func (g *Gate) enter(pinned bool) bool {
	return below(&g.inFlight, g.bounds.Load().pool[class(pinned)])
}

// below counts one more, if that is within the bound.
func below(n *atomic.Int64, bound int64) bool {
	for {
		now := n.Load()
		if now >= bound {
			return false
		}
		if n.CompareAndSwap(now, now+1) {
			return true
		}
	}
}

// Leave gives the place back that Enter took. at is where the request was last; nil = nowhere.
func (g *Gate) Leave(at *Backend) {
	g.inFlight.Add(-1)
	g.freed(at)
}

// freed hands on room that has come free, maybe at a backend.
func (g *Gate) freed(at *Backend) {
	if g.waiting.Load() == 0 {
		return // who begins to wait from here on looks for himself
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.grantLocked(at)
}

// Full tells whether b has no room for a request.
func (b *Backend) Full(pinned bool) bool {
	g := b.Pool.gate.Load()
	return g != nil && b.load.InFlight() >= g.bounds.Load().backend[class(pinned)]
}

// Begin counts a request in at b, if there is room for it. End must follow once it has ended.
func (b *Backend) Begin(pinned bool) bool {
	g := b.Pool.gate.Load()
	if g == nil {
		b.load.Begin()
		return true
	}
	if g.waiting.Load() > 0 && g.bounds.Load().Limits.Backend > 0 {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.grantLocked(b)
	}
	return g.begin(b, pinned)
}

func (g *Gate) begin(b *Backend, pinned bool) bool {
	if !below(&b.load.inFlight, g.bounds.Load().backend[class(pinned)]) {
		return false
	}
	b.load.begun.Add(1)
	return true
}

// End counts a request out at b.
func (b *Backend) End() {
	b.load.End()
	if g := b.Pool.gate.Load(); g != nil {
		g.ended.Add(1)
		g.freed(b)
	}
}

// Waiting is how many requests wait for room.
func (g *Gate) Waiting() int64 { return g.waiting.Load() }

// InFlight is how many places of the pool are taken.
func (g *Gate) InFlight() int64 { return g.inFlight.Load() }

// RetryAfter is in how many seconds there is likely to be room, at least 1: by those who wait, and
// by how many requests have ended of late.
func (g *Gate) RetryAfter() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	rate := g.pace.perSecond(g.ended.Load(), time.Now())
	if rate <= 0 {
		return 1
	}
	return int(min(max(math.Ceil(float64(g.waiting.Load()+1)/rate), 1), longestAdvice))
}

// longestAdvice is the most seconds that a client is told to stay away.
const longestAdvice = 60

// A pace is how fast a count grows.
type pace struct {
	count uint64
	since time.Time
	rate  float64
}

// perSecond is the rate over the last second and a bit, 0 while it is not known.
func (p *pace) perSecond(count uint64, now time.Time) float64 {
	passed := now.Sub(p.since)
	if passed < time.Second {
		return p.rate
	}
	if !p.since.IsZero() {
		p.rate = float64(count-p.count) / passed.Seconds()
	}
	p.count, p.since = count, now
	return p.rate
}
