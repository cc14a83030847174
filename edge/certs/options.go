package certs

import (
	"log/slog"
	"time"
)

// Options are the parts of a Manager that do not change while it lives.
type Options struct {
	StateDir   string           // holds certificates/ and ca/, both 0700; required
	Logger     *slog.Logger     // default: discard
	Now        func() time.Time // clock of the local authority, the tickets and the limits; default time.Now
	CheckEvery time.Duration    // between two looks at a managed certificate; default 10m
	RenewAt    float64          // share of an ACME certificate's lifetime left when it is renewed; default 1/3
	RetryAfter time.Duration    // first pause after a failed order, tripled each time up to 2h; default 1m
	LeafLife   time.Duration    // lifetime of the local authority's certificates; default 7 days
	Leaves     int              // local certificates kept for names only a pattern covers; default 1024
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.CheckEvery = orDefault(o.CheckEvery, 10*time.Minute)
	o.RenewAt = orDefault(o.RenewAt, 1.0/3)
	o.RetryAfter = orDefault(o.RetryAfter, time.Minute)
	o.LeafLife = orDefault(o.LeafLife, 7*24*time.Hour)
	o.Leaves = orDefault(o.Leaves, 1024)
	return o
}

func orDefault[T int | float64 | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}
