package health_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newPool(ids ...string) *balance.Pool {
	p := balance.NewPool("shop")
	p.Update(specs(ids...))
	return p
}

func specs(ids ...string) []balance.Spec {
	var list []balance.Spec
	for _, id := range ids {
		list = append(list, balance.Spec{ID: id, Address: id + ".test:80", Scheme: "http", Weight: 1})
	}
	return list
}

func state(p *balance.Pool, id string) string { return p.Set().Find(id).State.String() }

// backends are fake servers, by host: what they answer, and what they were asked.
type backends struct {
	mu     sync.Mutex
	status map[string]int           // 0 = refuses
	slow   map[string]time.Duration // until they answer
	asked  map[string][]time.Time
	busy   map[string]int // probes in progress
	most   int            // of busy
	last   *http.Request
}

func newBackends() *backends {
	return &backends{
		status: map[string]int{}, slow: map[string]time.Duration{},
		asked: map[string][]time.Time{}, busy: map[string]int{},
	}
}

func (b *backends) set(id string, status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status[id+".test:80"] = status
}

func (b *backends) probes(id string) []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]time.Time(nil), b.asked[id+".test:80"]...)
}

func (b *backends) RoundTrip(r *http.Request) (*http.Response, error) {
	host := r.URL.Host
	b.mu.Lock()
	b.asked[host] = append(b.asked[host], time.Now())
	b.busy[host]++
	b.most = max(b.most, b.busy[host])
	b.last = r
	status, slow := b.status[host], b.slow[host]
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.busy[host]--
	}()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-time.After(slow):
	}
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Body: http.NoBody}, nil
}

// checked runs a checker in a bubble of fake time while do does.
func checked(t *testing.T, do func(c *health.Checker, b *backends, events *events)) {
	synctest.Test(t, func(t *testing.T) {
		b, e := newBackends(), &events{}
		c := health.New(health.Options{Notify: e.add})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { assert.NoError(t, c.Run(ctx)) })
		do(c, b, e)
		cancel()
		wg.Wait()
	})
}

// events are what a checker told.
type events struct {
	mu   sync.Mutex
	list []string
}

func (e *events) add(v health.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, v.Backend+" "+v.Change.String())
}

func (e *events) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.list...)
}

func after(d time.Duration) {
	time.Sleep(d) // of a bubble's fake time
	synctest.Wait()
}
