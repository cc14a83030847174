package main

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/wedge-lb/wedge/sdk"
)

// rule is a prefer option at work: conditions, and a balancer over the backends it prefers.
type rule struct {
	conditions []condition
	target     prefer
	balancer   sdk.Balancer
}

// condition holds if the attribute is one of the values.
type condition struct {
	attribute sdk.Attribute
	values    []string
	holds     func(got []byte, want string) bool
}

func newRule(c *sdk.Config, p prefer, b sdk.Balancer) rule {
	r := rule{target: p, balancer: b}
	r.when(c, sdk.Country(), p.When.Country, sameCountry)
	r.when(c, sdk.Method(), p.When.Method, same)
	r.when(c, sdk.Path(), p.When.Path, samePath)
	for _, name := range slices.Sorted(maps.Keys(p.When.Header)) {
		r.when(c, sdk.Header(name), p.When.Header[name], sameOrAny)
	}
	return r
}

func (r *rule) when(c *sdk.Config, a sdk.Attribute, values []string, holds func([]byte, string) bool) {
	if len(values) > 0 {
		r.conditions = append(r.conditions, condition{c.Need(a), values, holds})
	}
}

// update takes in the backends that the rule prefers.
func (r *rule) update(b sdk.Backends) {
	r.balancer.Update(b.Subset(func(i int) bool { return r.target.wants(b, i) }))
}

// pick is a backend for a request that the rule matches, or -1.
func (r *rule) pick(q *sdk.Request) int {
	for i := range r.conditions {
		if !r.conditions[i].match(q) {
			return -1
		}
	}
	return r.balancer.Pick(q)
}

func (c *condition) match(q *sdk.Request) bool {
	got, ok := q.Bytes(c.attribute)
	if !ok {
		return false
	}
	for _, want := range c.values {
		if c.holds(got, want) {
			return true
		}
	}
	return false
}

// wants reports whether a backend is one of those preferred.
func (p prefer) wants(b sdk.Backends, i int) bool {
	if len(p.Zone) > 0 && !slices.Contains(p.Zone, b.Zone(i)) {
		return false
	}
	for key, values := range p.Labels {
		if v, ok := b.Label(i, key); !ok || !slices.Contains(values, v) {
			return false
		}
	}
	return true
}

func same(got []byte, want string) bool { return string(got) == want }

func sameOrAny(got []byte, want string) bool { return want == "*" || string(got) == want }

func sameCountry(got []byte, want string) bool {
	return len(got) == 2 && len(want) == 2 && got[0]|0x20 == want[0]|0x20 && got[1]|0x20 == want[1]|0x20
}

// samePath holds for the path itself and, with /** at the end, for everything below it.
func samePath(got []byte, want string) bool {
	base, below := strings.CutSuffix(want, "/**")
	if len(got) < len(base) || string(got[:len(base)]) != base {
		return false
	}
	rest := got[len(base):]
	return len(rest) == 0 || below && bytes.HasPrefix(rest, []byte("/"))
}
