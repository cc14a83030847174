package upstream

import (
	"errors"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

// Options are for a Transport.
type Options struct {
	Defaults Settings     // of pools that were not configured
	Logger   *slog.Logger // of TLS that begins to fail, and works again; default: discard
}

// A Transport keeps the connections to all backends. It is safe for concurrent use.
type Transport struct {
	opt   Options
	epoch time.Time // times are nanoseconds since then

	// backends is replaced, never changed; writers hold mu.
	backends atomic.Pointer[map[key]*backend]
	departed departed

	mu       sync.Mutex
	settings map[string]Settings // by pool, with defaults
	removed  map[string]removal  // by pool
	closed   bool
}

// A removal is what the last requests of a pool that was removed are sent by.
type removal struct {
	settings Settings
	at       int64
}

// remembered is how long a removal is kept, in ns: for requests that chose their backend before it.
const remembered = int64(time.Hour)

// A key is whose connections are alike: a backend that moves to another address is another one here.
type key struct {
	pool            *balance.Pool
	scheme, address string
}

// New makes a Transport. Close ends what it opens.
func New(o Options) *Transport {
	o.Defaults = o.Defaults.withDefaults()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	t := &Transport{opt: o, epoch: time.Now(), settings: map[string]Settings{},
		removed: map[string]removal{}, departed: departed{backends: map[*backend]struct{}{}}}
	t.backends.Store(&map[key]*backend{})
	return t
}

func (t *Transport) now() int64 { return int64(time.Since(t.epoch)) }

// Do sends r to b and fills a with its answer, whose Body or Conn the caller closes. The error is nil or a
// *balance.Failure. When it is not nil, Do has ended reading r.Body; otherwise that has ended when a.Body is
// closed. To end a Read of r.Body that waits for the client, Do calls its Close, if it has one, from any
// goroutine: only if the exchange ended before the body did. A request without a body, or with all of it in
// Buffered, is tried again on a new connection if a pooled one turns out to be dead and its method is
// idempotent, or if nothing of it was sent.
func (t *Transport) Do(b *balance.Backend, r *http1.Request, a *http1.Response) error {
	for tries := 0; ; tries++ {
		up := (*t.backends.Load())[key{b.Pool, b.Scheme, b.Address}]
		if up == nil {
			var err error
			if up, err = t.add(b); err != nil {
				return &balance.Failure{Kind: balance.ConnectFailed, Err: err}
			}
		}
		f := up.do(r, a)
		if f == nil {
			return nil
		}
		if f.Err != errClosed || tries == maxTries {
			return f
		}
	}
}

// maxTries bounds how often a request meets an entry that was just replaced.
const maxTries = 100

// errClosed is of an exchange that has not begun: nothing was sent and no body was read.
var errClosed = errors.New("upstream: closed")

// add makes the entry of a backend that is new, and takes the opportunity to forget those that have left.
// That of a backend that has left itself, or whose pool has, is for one exchange and is not kept.
func (t *Transport) add(b *balance.Backend) (*backend, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, errClosed
	}
	k := key{b.Pool, b.Scheme, b.Address}
	if up := (*t.backends.Load())[k]; up != nil {
		return up, nil
	}
	s, kept := t.settingsLocked(b.Pool.Name())
	if !kept || !k.current() {
		up := newPassing(t, k, s)
		t.departed.enter(up) // it leaves by itself, behind its one exchange
		return up, nil
	}
	up := newBackend(t, k, s)
	t.dropLocked(func(old key) bool { return old.pool == k.pool && !old.current() })
	next := maps.Clone(*t.backends.Load())
	next[k] = up
	t.backends.Store(&next)
	return up, nil
}

// settingsLocked gives the settings of a pool; false if it was removed.
func (t *Transport) settingsLocked(pool string) (Settings, bool) {
	if s, ok := t.settings[pool]; ok {
		return s, true
	}
	if old, ok := t.removed[pool]; ok {
		return old.settings, false
	}
	return t.opt.Defaults, true
}

// current tells whether the pool still has a backend there.
func (k key) current() bool {
	set := k.pool.Set()
	for i := range set.Backends {
		if b := &set.Backends[i]; b.Address == k.address && b.Scheme == k.scheme {
			return true
		}
	}
	return false
}

// dropLocked forgets the backends that match and closes their connections, those in use once they are free.
func (t *Transport) dropLocked(match func(key) bool) {
	next := maps.Clone(*t.backends.Load())
	var gone []*backend
	for k, up := range next {
		if match(k) {
			delete(next, k)
			gone = append(gone, up)
		}
	}
	t.backends.Store(&next)
	for _, up := range gone {
		up.close()
		t.departed.add(up)
	}
}

// Configure sets how the backends of a pool are talked to from the next request on. Connections stay, unless
// their protocol or TLS settings changed or their backend has left the pool.
func (t *Transport) Configure(pool string, s Settings) {
	s = s.withDefaults()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settings[pool] = s
	delete(t.removed, pool)
	current := *t.backends.Load()
	t.dropLocked(func(k key) bool {
		return k.pool.Name() == pool && (!current[k].settings.Load().sameWire(&s) || !k.current())
	})
	for k, up := range *t.backends.Load() {
		if k.pool.Name() == pool {
			kept := s
			kept.TLS = up.settings.Load().TLS
			up.settings.Store(&kept)
		}
	}
}

// Prune forgets the backends that have left a pool and closes their connections, those in use once they are
// free.
func (t *Transport) Prune(pool string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropLocked(func(k key) bool { return k.pool.Name() == pool && !k.current() })
}

// Remove forgets a pool and its connections. Requests that chose their backend before are served still, each
// on a connection of its own.
func (t *Transport) Remove(pool string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	maps.DeleteFunc(t.removed, func(_ string, old removal) bool { return now-old.at > remembered })
	s, _ := t.settingsLocked(pool)
	t.removed[pool] = removal{s, now}
	delete(t.settings, pool)
	t.dropLocked(func(k key) bool { return k.pool.Name() == pool })
}

// Close closes the connections, those in use once they are free; requests from now on fail.
func (t *Transport) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.dropLocked(func(key) bool { return true })
}

// A Stat is what the connections to one backend are doing.
type Stat struct {
	Pool, Address string
	Open, Idle    int    // connections now; of HTTP/2, Idle is 0
	Waiting       int    // requests that wait for one
	Dialed        uint64 // connections ever made
	Reused        uint64 // HTTP/1.1 requests sent on a connection that had served before
}

// Stats lists the backends that were used, in no order.
func (t *Transport) Stats() []Stat {
	var list []Stat
	for _, up := range *t.backends.Load() {
		list = append(list, up.stat())
	}
	return list
}
