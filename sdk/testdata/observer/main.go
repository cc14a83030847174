// Command observer is a strategy that learns outcomes and makes every call of the host.
package main

import (
	"errors"
	"time"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/observe"
)

func init() { observe.Register(&observer{}) }

func main() {}

type observer struct {
	path   sdk.Attribute
	random sdk.Random
	failed bool
}

func (o *observer) Configure(c *sdk.Config) error {
	o.path = c.Need(sdk.Path())
	return nil
}

func (o *observer) Backends(b sdk.Backends) error {
	if b.Len() == 0 {
		return errors.New("want a backend")
	}
	o.random.Update(b)
	return nil
}

func (o *observer) Pick(r *sdk.Request) sdk.Decision {
	path, _ := r.Bytes(o.path)
	var val [16]byte
	var loads [2]sdk.Load
	r.Loads(loads[:])
	_, told := r.Utilization(0)
	if _, ok := r.StoreGet("path", val[:]); !ok {
		r.StorePut("path", path, time.Minute)
	}
	if o.failed || told || r.Now().Unix() == 0 || r.Latency(0) > time.Hour || r.InFlight(0) > 1_000 {
		r.StoreDelete("path")
		r.Log(2, "busy")
		return r.Respond(503, "text/plain", []byte("busy"))
	}
	r.SetHeader("x-picks", "many")
	r.Spare(int(r.CounterAdd(0, 1)) % 2)
	return sdk.Route(o.random.Pick(r))
}

func (o *observer) Observe(out sdk.Outcome) { o.failed = out.Failed() }
