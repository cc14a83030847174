package route

import (
	"errors"
	"fmt"
)

// A Site is a set of hosts and their routes, the first match first.
type Site[T any] struct {
	Name   string   // for errors, metrics and logs
	Hosts  []string // exact, *.suffix or *
	Routes []Route[T]
}

// A Route leads the requests that it matches to a target.
type Route[T any] struct {
	Name    string   // for errors, metrics and logs
	Path    string   // a pattern; "" = any
	Methods []string // upper case; none = any
	Target  T

	pattern pattern
}

// An Outcome is what a lookup found.
type Outcome uint8

const (
	Found    Outcome = iota
	NoSite           // no site serves the host
	NoRoute          // the site has no route for the path
	NoMethod         // routes match the path, none the method: see Site.AppendAllow
)

// A Match is the result of a lookup. It points into the table, which nobody may change.
type Match[T any] struct {
	Outcome Outcome
	Site    *Site[T]  // nil on NoSite
	Route   *Route[T] // nil unless Found
}

// A Table finds the route of a request. It is immutable and safe for concurrent use.
type Table[T any] struct {
	exact    map[string]*Site[T]
	wildcard map[string]*Site[T] // by what follows "*."
	any      *Site[T]
}

// New makes a table. The error lists every fault of the sites: a host or path that is no pattern, a host that
// two sites claim, a method that cannot be.
func New[T any](sites []Site[T]) (*Table[T], error) {
	t := &Table[T]{exact: map[string]*Site[T]{}, wildcard: map[string]*Site[T]{}}
	var faults []error
	for i := range sites {
		s := &Site[T]{Name: sites[i].Name, Hosts: sites[i].Hosts}
		for _, h := range s.Hosts {
			faults = append(faults, t.claim(s, h))
		}
		s.Routes = append(s.Routes, sites[i].Routes...)
		for j := range s.Routes {
			if err := s.Routes[j].compile(); err != nil {
				faults = append(faults, fmt.Errorf("site %s: route %d: %w", s.Name, j+1, err))
			}
		}
	}
	return t, errors.Join(faults...)
}

func (t *Table[T]) claim(s *Site[T], pattern string) error {
	kind, name, err := parseHost(pattern)
	if err != nil {
		return fmt.Errorf("site %s: host %q: %w", s.Name, pattern, err)
	}
	var taken *Site[T]
	switch kind {
	case anyHost:
		taken, t.any = t.any, s
	case wildcardHost:
		taken, t.wildcard[name] = t.wildcard[name], s
	default:
		taken, t.exact[name] = t.exact[name], s
	}
	if taken != nil {
		return fmt.Errorf("site %s: host %q: site %s serves it already", s.Name, pattern, taken.Name)
	}
	return nil
}

// Match finds the route of a request; host may have a port. It does not allocate.
func (t *Table[T]) Match(host, path, method []byte) Match[T] {
	s := t.Site(host)
	if s == nil {
		return Match[T]{Outcome: NoSite}
	}
	outcome := NoRoute
	for i := range s.Routes {
		r := &s.Routes[i]
		if !r.pattern.match(path) {
			continue
		}
		if r.allows(method) {
			return Match[T]{Found, s, r}
		}
		outcome = NoMethod
	}
	return Match[T]{Outcome: outcome, Site: s}
}

// Site finds the site that serves a host, nil if none does or it is no host name. It does not allocate.
func (t *Table[T]) Site(host []byte) *Site[T] {
	var buf [maxHost]byte
	n, ok := canonical(&buf, host)
	if !ok {
		return nil
	}
	name := buf[:n]
	if s := t.exact[string(name)]; s != nil {
		return s
	}
	if rest := afterLabel(name); rest != nil {
		if s := t.wildcard[string(rest)]; s != nil {
			return s
		}
	}
	return t.any
}

// AppendAllow appends the methods of the routes that match path, for the Allow field of a 405 answer.
func (s *Site[T]) AppendAllow(dst, path []byte) []byte {
	start := len(dst)
	for i := range s.Routes {
		if r := &s.Routes[i]; r.pattern.match(path) {
			dst = appendMethods(dst, start, r.Methods)
		}
	}
	return dst
}
