package certs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

const (
	ordersAtOnce = 8
	demandAtOnce = 4 // of their own, so that names on demand never hold up the configured ones
	maxPause     = 2 * time.Hour
	forgetAfter  = 7 // failures in a row after which the pause grows no more
)

// errNotMaintained keeps certmagic's own maintenance from work that the keeper does: its jobs cannot be
// joined.
var errNotMaintained = errors.New("maintained by the keeper")

// keeper orders and renews certificates for as long as Run lasts: one goroutine a host, few orders at once.
type keeper struct {
	m      *Manager
	log    *slog.Logger
	cache  *certmagic.Cache
	ca     atomic.Pointer[ordering]
	slots  chan struct{}
	demand chan struct{}

	wg   sync.WaitGroup
	mu   sync.Mutex
	kept map[*managed]*stay
}

// stay is the goroutine that keeps one host.
type stay struct{ cancel context.CancelFunc }

// ordering is how certificates are ordered at one authority.
type ordering struct {
	issuer *issuer
	config *certmagic.Config
}

func newKeeper(m *Manager) *keeper {
	k := &keeper{
		m: m, log: m.opt.Logger,
		slots: make(chan struct{}, ordersAtOnce), demand: make(chan struct{}, demandAtOnce),
		kept: map[*managed]*stay{},
	}
	k.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return nil, errNotMaintained },
		RenewCheckInterval: m.opt.CheckEvery,
		OCSPCheckInterval:  math.MaxInt64,
		Logger:             zap.NewNop(),
	})
	return k
}

// run keeps what the current table wants until ctx is done, and returns when all it started has ended.
func (k *keeper) run(ctx context.Context) {
	defer k.cache.Stop()
	defer k.closeIdle()
	defer k.wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tick := time.NewTicker(min(k.m.opt.CheckEvery, time.Hour))
	defer tick.Stop()
	k.sync(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.m.changed:
			k.sync(ctx)
		case c := <-k.m.demand.wanted:
			k.start(ctx, c)
		case <-tick.C:
			for _, p := range k.m.current.Load().policies {
				p.rotateTickets(k.m.opt.Now())
			}
		}
	}
}

func (k *keeper) closeIdle() {
	if o := k.ca.Load(); o != nil {
		o.issuer.close()
	}
}

// sync starts what the table newly wants and stops what it no longer wants.
func (k *keeper) sync(ctx context.Context) {
	t := k.m.current.Load()
	changed := k.useAuthority(t.acme)
	k.m.demand.retain(t.demands)
	want := map[*managed]bool{}
	for _, c := range t.managed {
		want[c] = true
	}
	for _, c := range k.m.demand.all() {
		want[c] = true
	}
	k.stopUnless(func(c *managed) bool { return want[c] && !changed })
	if t.acme == nil {
		return
	}
	for c := range want {
		k.start(ctx, c)
	}
}

func (k *keeper) useAuthority(a *authority) (changed bool) {
	old := k.ca.Load()
	if a == nil || (old != nil && *old.issuer.authority == *a) {
		return false
	}
	iss := newIssuer(a, k.m.storage, k.m.challenges, k.log)
	k.ca.Store(&ordering{issuer: iss, config: certmagic.New(k.cache, certmagic.Config{
		RenewalWindowRatio: k.m.opt.RenewAt,
		Issuers:            []certmagic.Issuer{iss},
		Storage:            k.m.storage,
		OCSP:               certmagic.OCSPConfig{DisableStapling: true}, // being given up for renewal information
		KeySource:          certmagic.StandardKeyGenerator{KeyType: certmagic.P256},
		Logger:             newZap(k.log),
	})})
	if old != nil {
		old.issuer.close()
	}
	return old != nil
}

func (k *keeper) stopUnless(keep func(*managed) bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c, s := range k.kept {
		if !keep(c) {
			s.cancel()
			delete(k.kept, c)
		}
	}
}

func (k *keeper) start(ctx context.Context, c *managed) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.kept[c]; ok || k.ca.Load() == nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &stay{cancel}
	k.kept[c] = s
	k.wg.Go(func() {
		defer k.end(c, s)
		k.keep(ctx, c)
	})
}

// end forgets s, unless another has taken its place since it was stopped.
func (k *keeper) end(c *managed, s *stay) {
	s.cancel()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept[c] == s {
		delete(k.kept, c)
	}
}

// keep looks at c again and again until ctx is done or c is dropped.
func (k *keeper) keep(ctx context.Context, c *managed) {
	failures := 0
	for !c.dropped() {
		err := k.look(ctx, c)
		if ctx.Err() != nil {
			return
		}
		c.settle(err)
		pause := k.m.opt.CheckEvery
		if err != nil {
			pause = k.pauseAfter(failures)
			failures = min(failures+1, forgetAfter)
			k.log.Warn("certificate not obtained", "host", c.host, "error", err, "retry_in", pause)
		} else {
			failures = 0
		}
		if c.onDemand() && k.giveUp(c, err) {
			return
		}
		k.sleep(ctx, c, jitter(pause))
	}
}

// giveUp drops a name on demand that was denied, could not be had, or is not used any more.
func (k *keeper) giveUp(c *managed, err error) bool {
	idle := k.m.opt.Now().Sub(time.Unix(0, c.used.Load()))
	switch {
	case errors.Is(err, errDenied), errors.Is(err, errTooManyNames):
		k.m.demand.drop(c, denyFor)
	case err != nil && c.cert.Load() == nil:
		k.m.demand.drop(c, failFor)
	case idle > idleAfter && c.due(k.m.opt.Now(), k.m.opt.RenewAt*1.1):
		k.m.demand.drop(c, 0)
	default:
		return false
	}
	return true
}

func (k *keeper) sleep(ctx context.Context, c *managed, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-c.gone:
	}
}

// look makes sure that c has a certificate that is not due: loaded, ordered or renewed, in this order.
func (k *keeper) look(ctx context.Context, c *managed) error {
	slots := k.slots
	if c.onDemand() {
		slots = k.demand
		if err := k.admit(ctx, c); err != nil {
			return err
		}
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, 2*orderTimeout)
	defer cancel()
	o := k.ca.Load()
	err := k.manage(ctx, o, c)
	if err != nil && ctx.Err() == nil {
		moved, moveErr := k.m.storage.setAside(ctx, o.issuer.IssuerKey(), c.host)
		if moved {
			k.log.Warn("stored certificate unusable, set aside", "host", c.host, "error", err)
			err = k.manage(ctx, o, c)
		}
		err = errors.Join(err, moveErr)
	}
	return err
}

// manage lets certmagic do its work once, in this goroutine, and takes over what came of it.
func (k *keeper) manage(ctx context.Context, o *ordering, c *managed) error {
	err := o.config.ManageSync(ctx, []string{c.host})
	var best *certmagic.Certificate
	for _, cert := range k.cache.AllMatchingCertificates(c.host) {
		if best == nil || cert.Leaf.NotBefore.After(best.Leaf.NotBefore) {
			best = &cert
		}
	}
	k.cache.RemoveManaged([]certmagic.SubjectIssuer{{Subject: c.host}})
	if best == nil {
		return err
	}
	old := c.cert.Swap(&best.Certificate)
	if old == nil || !old.Leaf.Equal(best.Leaf) {
		k.log.Info("certificate in use", "host", c.host, "issuer", best.Leaf.Issuer.CommonName,
			"not_after", best.Leaf.NotAfter)
	}
	return err
}

// admit asks whether a name on demand may be ordered or, when it is due, renewed.
func (k *keeper) admit(ctx context.Context, c *managed) error {
	if !c.due(k.m.opt.Now(), k.m.opt.RenewAt) {
		return nil
	}
	if decide := c.rule.Load().decide; decide != nil {
		ctx, cancel := context.WithTimeout(ctx, decideTime)
		defer cancel()
		if err := decide(ctx, c.host); err != nil {
			return fmt.Errorf("%w: %w", errDenied, err)
		}
	}
	if c.cert.Load() != nil {
		return nil
	}
	_, err := k.m.storage.pair(ctx, k.ca.Load().issuer.IssuerKey(), c.host)
	if errors.Is(err, fs.ErrNotExist) && !k.m.demand.orders.take(k.m.opt.Now()) {
		return errTooManyNames
	}
	return nil
}

// pauseAfter grows by three: few enough attempts for the limits of public authorities on failed validations.
func (k *keeper) pauseAfter(failures int) time.Duration {
	pause := k.m.opt.RetryAfter
	for range failures {
		pause = min(pause*3, maxPause)
	}
	return min(pause, maxPause)
}

func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/10+1))
}
