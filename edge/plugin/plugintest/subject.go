package plugintest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
	"github.com/wedge-lb/wedge/sdk/abi"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

// subject is a module in place of a strategy that runs natively.
type subject struct {
	module *Module
	pool   *balance.Pool
	guests *plugin.Guests // nil before Configure
}

// Configure makes the instance, which the options are for, and gives it an empty table.
func (s *subject) Configure(options string) error {
	if err := s.Close(); err != nil {
		return err
	}
	g, err := s.module.module.Bind(context.Background(), plugin.Binding{
		Set: s.pool.Set(), Options: []byte(options), Grants: s.module.grants, Instances: 1,
	})
	s.guests = g
	return err
}

// SetBackends hands over a table. A weight of 0 is none that a pool of the edge has.
func (s *subject) SetBackends(list ...sdktest.Backend) error {
	specs := make([]balance.Spec, len(list))
	for i, b := range list {
		if b.Weight == sdktest.Weightless {
			return fmt.Errorf("backend %s: every backend of a pool has a weight", b.ID)
		}
		specs[i] = balance.Spec{
			ID: b.ID, Address: b.Address, Scheme: "http", Weight: b.Weight, Zone: b.Zone, Labels: b.Labels,
			Condition: condition(b.State),
		}
	}
	s.pool.Update(specs)
	for _, b := range list {
		if err := s.pool.SetUp(b.ID, b.State != abi.StateDown); err != nil {
			return err
		}
	}
	if s.guests == nil {
		return errors.New("not configured")
	}
	return s.guests.Refresh(context.Background(), s.pool.Set())
}

func condition(s abi.State) balance.Condition {
	switch s {
	case abi.StateDraining:
		return balance.Drain
	case abi.StateMaintenance:
		return balance.Maintenance
	}
	return balance.Ready
}

// Pick asks the guest. A fault of it is what is bad about the decision; another instance takes its place.
func (s *subject) Pick(r sdktest.Request) sdktest.Decision {
	var d balance.Decision
	if err := s.guests.Pick(s.request(&r), s.pool.Set(), &d); err != nil {
		bad := err.Error()
		if err := s.guests.Maintain(context.Background()); err != nil {
			bad += "; " + err.Error()
		}
		return sdktest.Decision{Verdict: abi.VerdictAbstain, Bad: bad}
	}
	switch d.Verdict {
	case balance.Route:
		return route(&d)
	case balance.Reject:
		return sdktest.Decision{Verdict: abi.VerdictReject, Status: d.Status}
	case balance.Respond:
		return sdktest.Decision{
			Verdict: abi.VerdictRespond, Status: d.Status, ContentType: string(d.ContentType), Body: string(d.Body),
			Headers: lines(&d),
		}
	}
	return sdktest.Decision{Verdict: abi.VerdictAbstain}
}

func route(d *balance.Decision) sdktest.Decision {
	out := sdktest.Decision{Verdict: abi.VerdictRoute, Pin: d.Pin, Headers: lines(d)}
	if d.Backend == nil {
		out.Bad = "a row that the table does not have"
		return out
	}
	out.Backend = d.Backend.ID
	for _, b := range d.Spares {
		out.Spares = append(out.Spares, b.ID)
	}
	return out
}

func lines(d *balance.Decision) (list [][2]string) {
	for _, h := range d.Header {
		list = append(list, [2]string{string(h.Name), string(h.Value)})
	}
	return list
}

func (s *subject) request(r *sdktest.Request) *balance.Request {
	out := &balance.Request{
		Attempt: uint32(r.Attempt), ClientIP: r.ClientIP, Method: []byte(r.Method), Scheme: []byte(r.Scheme),
		Authority: []byte(r.Authority), Path: []byte(r.Path), Header: fields(r), Protocol: r.Protocol, SNI: r.SNI,
		Country: r.Country, Route: r.Route,
	}
	query := r.Query
	if query == "" {
		query = join(r.Params, "&")
	}
	out.Query, out.HasQuery = []byte(query), query != ""
	set := s.pool.Set()
	if r.Pinned != "" {
		out.Pinned = set.Find(r.Pinned)
	}
	for _, id := range r.Excluded {
		out.Excluded = append(out.Excluded, set.Find(id))
	}
	return out
}

// fields are the headers of a request, cookies among them.
func fields(r *sdktest.Request) header {
	h := header(maps.Clone(r.Headers))
	if len(r.Cookies) == 0 {
		return h
	}
	if h == nil {
		h = header{}
	}
	h["cookie"] = join(r.Cookies, "; ")
	return h
}

func join(m map[string]string, by string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, name+"="+m[name])
	}
	return strings.Join(list, by)
}

// header gives the values of fields by their names in lower case.
type header map[string]string

// Get implements balance.Header.
func (h header) Get(name string) ([]byte, bool) {
	v, ok := h[name]
	return []byte(v), ok
}

// Observe tells the guest how a request ended.
func (s *subject) Observe(o sdktest.Outcome) {
	b := s.pool.Set().Find(o.Backend)
	if b == nil {
		return
	}
	r := &balance.Result{Backend: b, Status: o.Status, Attempt: uint32(o.Attempt), Head: o.Head, Total: o.Total}
	switch o.Flags {
	case abi.OutcomeConnectFailed:
		r.Kind = balance.ConnectFailed
	case abi.OutcomeTimedOut:
		r.Kind = balance.TimedOut
	case abi.OutcomeReset:
		r.Kind = balance.Reset
	}
	s.guests.Observe(r)
}

// Close frees the instance.
func (s *subject) Close() error {
	if s.guests == nil {
		return nil
	}
	return s.guests.Close(context.Background())
}
