package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/admin"
	"github.com/wedge-lb/wedge/edge/affinity"
	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/certs"
	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/geo"
	"github.com/wedge-lb/wedge/edge/health"
	"github.com/wedge-lb/wedge/edge/observe"
	"github.com/wedge-lb/wedge/edge/override"
	"github.com/wedge-lb/wedge/edge/plugin"
	"github.com/wedge-lb/wedge/edge/proxy"
	"github.com/wedge-lb/wedge/edge/strategy"
	"github.com/wedge-lb/wedge/edge/upstream"
)

// ErrUnknown is when a strategy, pool or backend is asked for by a name that the configuration does not have.
var ErrUnknown = errors.New("not in the configuration")

// A Server is a running edge. Its exported methods are safe for concurrent use.
type Server struct {
	opt   Options
	trial bool // it only checks a configuration
	log   *slog.Logger

	keys      *affinity.Keyring
	sessions  sessionFiles
	host      *plugin.Host
	library   *plugin.Library
	metrics   *observe.Metrics
	certs     *certs.Manager
	upstream  *upstream.Transport
	overrides *override.Book
	health    *health.Checker
	wellness  *healthState
	proxy     *proxy.Proxy
	quic      *quicKeys
	admin     *admin.Server
	accessLog *observe.AccessLog
	accessEnd func() error // closes what the access log writes to

	ready      chan struct{}
	overridden chan struct{} // has room for one: overrides have changed
	state      atomic.Int32
	failed     chan error
	secrets    atomic.Pointer[map[string][16]byte] // of pools

	started time.Time

	lastReload atomic.Pointer[admin.Reload]
	change     turn                          // one change at a time; who has it may read all below
	planned    map[string]*strategy.Strategy // of the plan in the making

	mu         sync.Mutex     // to change what is below, and to read it without change
	conf       *config.Config // expanded
	file       *config.Config // as it was written, for who asks
	countries  *geo.Database  // nil = none
	pools      map[string]*balance.Pool
	affinities map[string]*affinity.Affinity // of pools
	strategies map[string]*strategy.Strategy
	swapped    map[string]strategy.Spec // strategies that were swapped by hand
	discovered map[string]*discovery    // by pool
	doors      map[place]*door
	generation uint64 // configurations taken
	drained    int    // doors that reloads have closed
	tasks      *tasks
}

// closeTime is how long a strategy may take to end its picks, which are bounded.
const closeTime = 5 * time.Second

// The states of a Server, for readiness.
const (
	starting = iota
	serving
	draining
)

// New builds a Server from c: keys and certificates are read, plugins compiled and tried, sockets bound. Nothing
// is accepted before Run. Errors about the configuration are a config.Fault. A Server that is not to run must be closed.
func New(c *config.Config, o Options) (*Server, error) {
	s, err := build(c, o)
	if err != nil {
		return nil, err
	}
	p, err := s.plan(context.Background(), c)
	if err == nil {
		err = p.open()
	}
	if err != nil {
		return nil, errors.Join(err, s.release(context.Background()))
	}
	if s.admin, err = s.newAdmin(p.conf); err == nil {
		err = s.admin.Listen()
	}
	if err != nil {
		p.discard()
		return nil, errors.Join(err, s.release(context.Background()))
	}
	p.loadSessions()
	s.take(p)
	s.wellness.restore()
	return s, nil
}

// build makes what lives as long as the process.
func build(c *config.Config, o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dir := string(c.StateDir)
	s := &Server{
		opt: o, log: o.Logger, metrics: observe.New(o.Version),
		ready: make(chan struct{}), overridden: make(chan struct{}, 1), failed: make(chan error, 1),
		pools: map[string]*balance.Pool{}, strategies: map[string]*strategy.Strategy{},
		planned: map[string]*strategy.Strategy{}, swapped: map[string]strategy.Spec{}, doors: map[place]*door{},
		affinities: map[string]*affinity.Affinity{},
	}
	s.tasks, s.change = newTasks(s.fail), newTurn()
	if err := makeStateDir(dir); err != nil {
		return nil, err
	}
	s.overrides = override.Open(override.Options{
		Path: filepath.Join(dir, "overrides.json"), Write: writeFile, Logger: s.log,
	})
	cache := o.PluginCache
	if cache == "" {
		cache = filepath.Join(dir, "compiled")
	}
	var err error
	if s.library, err = plugin.OpenLibrary(filepath.Join(dir, library), 0); err != nil {
		return nil, err
	}
	if s.keys, err = affinity.LoadKeyring(dir); err != nil {
		return nil, err
	}
	if s.sessions, err = openSessionFiles(dir, s.log); err != nil {
		return nil, err
	}
	if s.quic, err = loadQUICKeys(dir); err != nil {
		return nil, err
	}
	if s.host, err = plugin.New(plugin.Options{
		CacheDir: cache, Logger: s.log, Compiler: plugin.CompilerCommand{Args: o.Compiler},
	}); err != nil {
		return nil, err
	}
	if s.certs, err = certs.New(certs.Options{StateDir: dir, Logger: s.log}); err != nil {
		return nil, err
	}
	if s.accessLog, s.accessEnd, err = accessLog(c.Logging.Access, o); err != nil {
		return nil, err
	}
	s.upstream = upstream.New(upstream.Options{Logger: s.log})
	s.health = health.New(health.Options{Notify: s.noteHealth})
	s.wellness = newHealthState(dir, s.health, s.log)
	s.proxy = proxy.New(proxy.Options{
		Upstream: s.upstream, Random: rand.Uint64, Tunnel: tunnel, Logger: s.log,
	}, nil)
	return s, s.watch()
}

// fail ends Run with err.
func (s *Server) fail(err error) {
	select {
	case s.failed <- err:
	default: // it is ending already
	}
}

func (s *Server) noteHealth(e health.Event) {
	s.log.Warn("backend health", "pool", e.Pool, "backend", e.Backend, "change", e.Change.String(),
		"reason", e.Reason, "for", e.For)
	s.wellness.note()
}

// Ready is closed once every listener accepts.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Run serves until ctx ends, then drains: readiness goes off, listeners close, clients are told to go, requests in
// flight finish within the drain time. When it returns, all that it started has ended. It is called once.
func (s *Server) Run(ctx context.Context) error {
	s.start()
	var err error
	select {
	case <-ctx.Done():
	case err = <-s.failed:
	}
	return errors.Join(err, s.drain())
}

func (s *Server) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = time.Now()
	s.tasks.start("certificates", s.certs.Run)
	s.tasks.start("health", s.health.Run)
	s.tasks.start("overrides", s.keepOverrides)
	s.tasks.start("admin", s.admin.Serve)
	s.tasks.start("memory", keepMemory)
	s.tasks.start("sessions", s.keepSessions)
	s.tasks.startLast("health state", s.wellness.keep)
	if s.accessLog != nil {
		s.tasks.startLast("access log", s.accessLog.Run)
	}
	for _, t := range s.strategies {
		s.tasks.start("strategy "+t.Name(), t.Run)
	}
	for name, d := range s.discovered {
		s.tasks.start(d.task(name), d.watcher.Run)
	}
	for _, d := range s.doors {
		s.log.Info("listening", "address", d.tcp.Addr().String(), "tls", d.secure)
		d.serve(s.fail)
	}
	s.state.Store(serving)
	close(s.ready)
}

// drain ends everything, clients first. A change in progress is not waited for before they are told: one that
// hangs must not keep the edge from stopping.
func (s *Server) drain() error {
	s.mu.Lock()
	s.state.Store(draining)
	limit := s.conf.Server.DrainTimeout
	doors := slices.Collect(maps.Values(s.doors))
	s.mu.Unlock()
	s.log.Info("draining", "for", limit)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var wg sync.WaitGroup
	for _, d := range doors {
		wg.Go(func() {
			if err := d.shutdown(ctx); err != nil {
				s.log.Warn("requests cut at the end of the drain time", "address", d.address)
			}
		})
	}
	wg.Wait()
	quiet := s.change.takeLast(closeTime)
	if ended := s.tasks.stop(closeTime); !ended || !quiet {
		return errHung
	}
	return s.release(context.Background())
}

// errHung is when something of a plugin's did not end; the process has to.
var errHung = errors.New("stopped, but a change or a plugin did not end and was left behind")

// Close frees a Server that was never run.
func (s *Server) Close() error {
	s.change.takeLast(closeTime)
	for _, d := range s.doors {
		d.discard()
	}
	return errors.Join(s.admin.Close(), s.release(context.Background()))
}

// release frees what build and take made.
func (s *Server) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	var errs []error
	for name, t := range s.strategies {
		if err := t.Close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("strategy %s: %w", name, err))
		}
	}
	s.upstream.Close()
	return errors.Join(append(errs, s.host.Close(ctx), s.accessEnd())...)
}
