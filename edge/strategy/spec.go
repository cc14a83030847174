package strategy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/wedge-lb/wedge/edge/balance"
)

// A Spec is what one generation of a strategy is made of.
type Spec struct {
	Use       string   // what the configuration calls the plugin, for display
	Digest    string   // SHA-256 of Wasm in hex; computed if empty
	Wasm      []byte   // the plugin
	Options   []byte   // JSON for the plugin
	Grants    []string // raw attributes that the operator allows, for example "header:authorization"
	Memory    int64    // bytes of one instance; 0 = the host's default
	Fuel      int64    // units of work of one pick; 0 = the host's default
	Instances int      // for each pool; 0 = the host's default
}

// complete is s with its digest and without what is not compared.
func (s Spec) complete() Spec {
	if s.Digest == "" {
		sum := sha256.Sum256(s.Wasm)
		s.Digest = hex.EncodeToString(sum[:])
	}
	return s
}

// sameCode tells whether both can run on one compiled module.
func (s Spec) sameCode(o Spec) bool { return s.Digest == o.Digest && s.Memory == o.Memory }

// sameGuests tells whether guests of the one can serve as the other's.
func (s Spec) sameGuests(o Spec) bool {
	return s.sameCode(o) && bytes.Equal(s.Options, o.Options) && slices.Equal(s.Grants, o.Grants) &&
		s.Instances == o.Instances && s.Fuel == o.Fuel
}

// short is the digest in logs and decisions.
func (s Spec) short() string { return s.Digest[:min(len(s.Digest), 12)] }

// A Target is a pool that a strategy is to serve, and the table to start with: the pool's own, or its
// Preview if a new configuration is being tried.
type Target struct {
	Pool *balance.Pool
	Set  *balance.Set
}

// sameTable tells whether a guest would be given the same of both.
func sameTable(a, b *balance.Set) bool {
	return a == b || a.Scale == b.Scale && slices.EqualFunc(a.Backends, b.Backends, func(x, y balance.Backend) bool {
		return x.ID == y.ID && x.Address == y.Address && x.Zone == y.Zone && x.Weight == y.Weight &&
			x.Effective == y.Effective && x.State == y.State && maps.Equal(x.Labels, y.Labels)
	})
}
