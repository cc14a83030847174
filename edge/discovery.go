package edge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/discover"
	"github.com/wedge-lb/wedge/edge/observe"
)

// discovery is how the backends of one pool are found. It lasts as long as the configuration says the same of
// it.
type discovery struct {
	source  source
	watcher *discover.Watcher
	list    string // file in which the backends are kept over a restart; "" = they are not

	kept []byte // what list holds; of the watcher's goroutine
}

// maxList is in bytes, of the file in which backends are kept.
const maxList = 16 << 20

// source is what identifies a discovery.
type source struct {
	conf     config.Discover // its Docker is docker
	docker   config.Docker
	protocol string
}

func sourceOf(p config.Pool) source {
	s := source{conf: *p.Discover, protocol: p.Upstream.Protocol}
	if s.conf.Docker != nil {
		s.docker, s.conf.Docker = *s.conf.Docker, nil
	}
	return s
}

// String tells where backends come from: what was found by one may stand for the other if they are equal.
func (s source) String() string {
	c, d := s.conf, s.docker
	return fmt.Sprintf("%s dns=%s srv=%s docker=%s:%s:%d", c.Scheme, c.DNS, c.DNSSRV, d.Socket, d.Label, d.Port)
}

func (d *discovery) task(pool string) string { return "discovery " + pool }

// planDiscovery finds the backends of the pools of c that do not list them. What is new is asked once, all at
// the same time: a file must be there and be a list; DNS and Docker may fail, then the backends that were
// known serve, or none.
func (s *Server) planDiscovery(ctx context.Context, c *config.Config) (map[string]*discovery, error) {
	all := map[string]*discovery{}
	var mu sync.Mutex
	var faults []error
	var wg sync.WaitGroup
	for name, p := range c.Pools {
		if p.Discover == nil {
			continue
		}
		if old := s.discovered[name]; old != nil && old.source == sourceOf(p) {
			all[name] = old
			continue
		}
		d := s.newDiscovery(string(c.StateDir), name, p)
		all[name] = d
		if s.trial && p.Discover.File == "" {
			continue // a check asks nobody
		}
		wg.Go(func() {
			if err := d.first(ctx, c, name); err != nil {
				mu.Lock()
				defer mu.Unlock()
				faults = append(faults, err)
			}
		})
	}
	wg.Wait()
	return all, errors.Join(faults...)
}

// newDiscovery makes a discovery that has found nothing yet. Its list from before, or else what the pool has
// now, counts until it has.
func (s *Server) newDiscovery(dir, name string, p config.Pool) *discovery {
	d := &discovery{source: sourceOf(p)}
	if p.Discover.File == "" {
		d.list = filepath.Join(dir, "discover", name+".json")
	}
	log := s.log.With("pool", name)
	last, err := d.known(s.pools[name])
	if err != nil {
		log.Warn("backends that were found before are not known", "error", err)
	}
	empty := p.Discover.OnFailure == "empty"
	if s.trial {
		last, empty = sample(), false
	}
	d.watcher = discover.NewWatcher(sourceFor(p), discover.Options{
		Interval: p.Discover.Interval, Empty: empty, Last: last, Logger: log,
		Changed: func() { s.rediscovered(name, d) },
	})
	return d
}

// sample stands in a check, which asks nobody, for the backends that strategies are tried on.
func sample() []discover.Member {
	return []discover.Member{
		{ID: "192.0.2.1:80", Scheme: "http", Address: "192.0.2.1:80", Weight: 1}, // RFC 5737
		{ID: "192.0.2.2:80", Scheme: "http", Address: "192.0.2.2:80", Weight: 1},
	}
}

// known are the backends of a pool that runs, or those that were kept.
func (d *discovery) known(p *balance.Pool) ([]discover.Member, error) {
	if p != nil && len(p.Set().Backends) > 0 {
		var list []discover.Member
		for _, b := range p.Set().Backends {
			list = append(list, discover.Member{ID: b.ID, Scheme: b.Scheme, Address: b.Address, Weight: b.Weight,
				Zone: b.Zone, Labels: b.Labels, Condition: b.Condition})
		}
		return list, nil
	}
	if d.list == "" {
		return nil, nil
	}
	data, err := readFile(d.list, maxList)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := discover.Decode(data, d.source.String())
	if err != nil && !errors.Is(err, discover.ErrOtherSource) {
		return nil, fmt.Errorf("%s: %w", d.list, err)
	}
	return list, nil
}

func sourceFor(p config.Pool) discover.Source {
	d := p.Discover
	o := discover.DNSOptions{Scheme: d.Scheme, Resolver: d.Resolver, Forget: d.OnFailure == "empty"}
	switch {
	case d.File != "":
		return discover.NewFile(string(d.File), func(data []byte) ([]discover.Member, error) {
			return parseMembers(string(d.File), data, p.Upstream.Protocol)
		})
	case d.DNSSRV != "":
		o.Name = d.DNSSRV
		return discover.NewServices(o)
	case d.DNS != "":
		host, port, _ := net.SplitHostPort(d.DNS)    // the configuration was checked
		number, _ := strconv.ParseUint(port, 10, 16) // likewise
		o.Name, o.Port = host, uint16(number)
		return discover.NewAddresses(o)
	}
	return discover.NewDocker(discover.DockerOptions{
		Socket: d.Docker.Socket, Label: d.Docker.Label, Port: uint16(d.Docker.Port), Scheme: d.Scheme,
	})
}

// listFaults are the faults of a list of backends, in a line.
type listFaults struct{ config.Faults }

func (f listFaults) Error() string {
	text := f.Faults[0].Summary()
	if more := len(f.Faults) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

func parseMembers(file string, data []byte, protocol string) ([]discover.Member, error) {
	backends, err := config.ParseBackends(file, data, protocol)
	if faults := (config.Faults{}); errors.As(err, &faults) {
		return nil, listFaults{faults}
	}
	if err != nil {
		return nil, err
	}
	var list []discover.Member
	for _, b := range backends {
		scheme, address, err := b.Address()
		if err != nil {
			return nil, err
		}
		list = append(list, discover.Member{ID: b.ID, Scheme: scheme, Address: address, Weight: uint32(b.Weight),
			Zone: b.Zone, Labels: b.Labels, Condition: condition(b.State)})
	}
	return list, nil
}

// first asks the source once, for a plan.
func (d *discovery) first(ctx context.Context, c *config.Config, pool string) error {
	err := d.watcher.Look(ctx)
	if ctx.Err() != nil || d.source.conf.File == "" {
		return ctx.Err()
	}
	var list listFaults
	if errors.As(err, &list) {
		return errors.Join(c.Fault("pools."+pool+".discover.file", "the list has faults"), list.Faults)
	}
	if err != nil {
		return c.Fault("pools."+pool+".discover.file", err.Error())
	}
	return nil
}

// specs are the backends of a pool as its configuration lists them, or as they are found now.
func (s *Server) specs(p *poolPlan, d *discovery) []balance.Spec {
	if d == nil {
		return p.specs
	}
	return s.found(p.name, d)
}

func (s *Server) found(pool string, d *discovery) []balance.Spec {
	members, _ := d.watcher.Members()
	list := make([]balance.Spec, len(members))
	for i, m := range members {
		list[i] = balance.Spec{ID: m.ID, Scheme: m.Scheme, Address: m.Address, Weight: m.Weight, Zone: m.Zone,
			Labels: m.Labels, Condition: m.Condition, Metrics: s.metrics.Backend(pool, m.ID)}
	}
	return list
}

// rediscovered gives a pool the backends that its discovery has found, and forgets those that have left.
func (s *Server) rediscovered(name string, d *discovery) {
	if !s.join(name, d) {
		return // it is not in service yet, or no more
	}
	if err := d.keep(); err != nil {
		s.log.Error("backends not kept for a restart", "pool", name, "error", err)
	}
}

func (s *Server) join(name string, d *discovery) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.discovered[name] != d {
		return false
	}
	p := s.pools[name]
	before := p.Set()
	p.Update(s.found(name, d))
	s.upstream.Prune(name)
	for i := range before.Backends {
		if id := before.Backends[i].ID; p.Set().Find(id) == nil {
			s.metrics.DropBackend(name, id)
		}
	}
	return true
}

// keep writes the backends down, if a look has found them and they are not those that were written last.
func (d *discovery) keep() error {
	members, found := d.watcher.Members()
	if d.list == "" || !found {
		return nil
	}
	data, err := discover.Encode(d.source.String(), members)
	if err != nil || slices.Equal(data, d.kept) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(d.list), 0o700); err != nil {
		return err
	}
	if err := writeFile(d.list, data); err != nil {
		return err
	}
	d.kept = data
	return nil
}

// changeDiscovery ends the watchers that a reload has replaced, and starts the new ones.
func (s *Server) changeDiscovery(old map[string]*discovery) {
	for name, d := range old {
		if s.discovered[name] != d {
			s.tasks.end(d.task(name))
		}
	}
	for name, d := range s.discovered {
		if old[name] != d {
			s.tasks.start(d.task(name), d.watcher.Run)
		}
	}
}

// serverName is the TLS of a pool's backends. Those that were found by their addresses are known by the name
// that was asked for.
func serverName(p config.Pool) config.UpstreamTLS {
	t := p.Upstream.TLS
	if p.Discover != nil && p.Discover.DNS != "" && t.ServerName == "" {
		t.ServerName, _, _ = net.SplitHostPort(p.Discover.DNS) // the configuration was checked
	}
	return t
}

// watchDiscovery adds the metrics of pools whose backends are found.
func (s *Server) watchDiscovery() error {
	each := func(value func(discover.Stats) float64) func(observe.Emit) {
		return func(emit observe.Emit) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for name, d := range s.discovered {
				emit(value(d.watcher.Stats()), name)
			}
		}
	}
	labels := []string{"pool"}
	return errors.Join(
		s.metrics.Watch(observe.Family{
			Name: "wedge_discovery_last_success_timestamp_seconds", Labels: labels,
			Help: "When the backends of a pool were last found; 0 = not yet.",
		}, each(func(st discover.Stats) float64 {
			if st.LastSuccess.IsZero() {
				return 0
			}
			return float64(st.LastSuccess.UnixMilli()) / 1000
		})),
		s.metrics.Watch(observe.Family{
			Name: "wedge_discovery_failures_total", Labels: labels, Counter: true,
			Help: "Looks for the backends of a pool that failed, wholly or in part.",
		}, each(func(st discover.Stats) float64 { return float64(st.Failures) })),
		s.metrics.Watch(observe.Family{
			Name: "wedge_discovery_backends", Labels: labels, Help: "Backends of a pool that were found.",
		}, each(func(st discover.Stats) float64 { return float64(st.Members) })),
	)
}
