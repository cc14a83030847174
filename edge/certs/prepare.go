package certs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Prepare checks all of s and builds what Commit swaps in. Every fault is reported (errors.Join), and then
// nothing has changed. It reads files and asks no one; the local authority is made if a site needs it.
func (m *Manager) Prepare(ctx context.Context, s Settings) (*Change, error) {
	b := &builder{m: m, old: m.current.Load(), change: &Change{m: m, names: map[string]bool{}}}
	b.table = &table{exact: map[string]*Policy{}, suffix: map[string]*Policy{}, managed: map[string]*managed{}}
	b.change.table = b.table
	b.authority(s)
	seen := map[string]bool{}
	for _, site := range s.Sites {
		if seen[site.Name] {
			b.fault(site, errors.New("name used twice"))
		}
		seen[site.Name] = true
		b.site(ctx, site)
	}
	if err := errors.Join(b.faults...); err != nil {
		return nil, err
	}
	return b.change, nil
}

type builder struct {
	m      *Manager
	old    *table
	table  *table
	change *Change
	faults []error
}

func (b *builder) fault(site Site, err error) {
	b.faults = append(b.faults, &SiteError{site.Name, err})
}

func (b *builder) authority(s Settings) {
	for _, site := range s.Sites {
		if site.Source != "" && site.Source != SourceACME {
			continue
		}
		a, err := newAuthority(s.ACME)
		if err != nil {
			b.faults = append(b.faults, fmt.Errorf("tls: %w", err))
		}
		b.table.acme = a
		return
	}
}

func (b *builder) site(ctx context.Context, site Site) {
	hosts := b.hosts(site)
	auth, err := newClientAuth(site.ClientAuth)
	if err != nil {
		b.fault(site, err)
	}
	src, err := b.source(ctx, site, hosts)
	if err != nil {
		b.fault(site, err)
	}
	p := b.policy(site.Name, auth)
	p.source = src
	b.table.policies = append(b.table.policies, p)
	for _, h := range hosts {
		if other := b.table.holder(h); other != nil {
			b.fault(site, fmt.Errorf("host %s belongs to site %s already", h, other.name))
			continue
		}
		b.table.add(p, h)
	}
}

func (b *builder) hosts(site Site) []string {
	if len(site.Hosts) == 0 {
		b.fault(site, errors.New("no hosts"))
	}
	var hosts []string
	for _, s := range site.Hosts {
		h, err := hostPattern(s)
		if err != nil {
			b.fault(site, err)
			continue
		}
		hosts = append(hosts, h)
	}
	return hosts
}

// policy takes over what a policy that asks the same of clients had: the identity of its client
// authentication and, under the same name, its ticket keys.
func (b *builder) policy(name string, auth *clientAuth) *Policy {
	p := newPolicy(name, auth)
	for _, q := range slices.Concat(b.table.policies, b.old.policies) {
		if !sameAuth(q.auth, auth) {
			continue
		}
		p.auth = q.auth
		if q.name == name {
			p.tickets = q.tickets
		}
	}
	if p.tickets == nil {
		p.tickets = newTickets(b.m.opt.Now())
	}
	return p
}

func (b *builder) source(ctx context.Context, site Site, hosts []string) (source, error) {
	if len(site.Files) > 0 && site.Source != SourceFiles {
		return nil, errors.New("certificate files need the source files")
	}
	if site.OnDemand != nil && site.Source != "" && site.Source != SourceACME {
		return nil, errors.New("on demand needs the source acme")
	}
	switch site.Source {
	case SourceFiles:
		return b.files(site, hosts)
	case SourceInternal:
		return b.local(hosts)
	case SourceACME, "":
		return b.acme(ctx, site, hosts)
	default:
		return nil, fmt.Errorf("source %q is none of acme, internal, files", site.Source)
	}
}

func (b *builder) files(site Site, hosts []string) (source, error) {
	s, err := newFileSource(hosts, site.Files)
	if err != nil {
		return nil, err
	}
	if hosts := s.unnamed(b.m.opt.Now()); len(hosts) > 0 {
		b.m.opt.Logger.Warn("certificate files not valid for all hosts", "site", site.Name, "hosts", hosts)
	}
	return s, nil
}

func (b *builder) local(hosts []string) (source, error) {
	ca, err := b.m.LocalCA()
	if err != nil {
		return nil, err
	}
	b.change.ca = ca
	for _, h := range hosts {
		b.change.names[h] = true
	}
	return newLocalSource(hosts, b.m.leaves), nil
}

func (b *builder) acme(ctx context.Context, site Site, hosts []string) (source, error) {
	s := &acmeSource{hosts: map[string]*managed{}, demand: b.m.demand}
	var errs []error
	if site.OnDemand != nil {
		var err error
		if s.rule, err = newRule(site.OnDemand); err != nil {
			errs = append(errs, err)
		}
	}
	for _, h := range hosts {
		if !strings.HasPrefix(h, "*") {
			c, err := b.managed(ctx, h)
			s.hosts[h], errs = c, append(errs, err)
			continue
		}
		if site.OnDemand == nil {
			errs = append(errs, fmt.Errorf(
				"host %s: http-01 and tls-alpn-01 issue for single names only; use on demand, internal or files", h))
		}
	}
	return s, errors.Join(errs...)
}

// managed carries a host over from the running table, or loads what is stored for it.
func (b *builder) managed(ctx context.Context, host string) (*managed, error) {
	if c := b.old.managed[host]; c != nil {
		b.table.managed[host] = c
		return c, nil
	}
	c := newManaged(host)
	b.table.managed[host] = c
	cert, err := b.m.storage.pair(ctx, b.table.acme.key, host)
	switch {
	case err == nil:
		c.cert.Store(cert)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errUnusable): // Run orders one
	default:
		return c, fmt.Errorf("host %s: stored certificate: %w", host, err)
	}
	return c, nil
}
