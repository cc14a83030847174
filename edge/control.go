package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wedge-lb/wedge/edge/admin"
	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/strategy"
)

// control is the Server as the admin API sees it.
type control struct{ s *Server }

// newAdmin makes the admin listener; its address is in c, which is expanded.
func (s *Server) newAdmin(c *config.Config) (*admin.Server, error) {
	network, address := c.AdminAddress()
	if network == "unix" {
		address = "unix://" + address
	}
	return admin.New(control{s}, admin.Options{
		Listen: address, Token: string(c.Admin.Token.Value()), Metrics: s.metrics.Handler(), Logger: s.log,
	})
}

// AdminAddress is where the admin API is reached.
func (s *Server) AdminAddress() string { return s.admin.Address() }

// Port is the port that the http or https listener is bound to, 0 if there is none.
func (s *Server) Port(listener string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, d := range s.doors {
		if p.secure == (listener == "https") {
			return d.port()
		}
	}
	return 0
}

// RootPEM is the root certificate of the local CA; nil if it cannot be read.
func (s *Server) RootPEM() []byte {
	pem, err := s.authority()
	if err != nil {
		s.log.Error("local CA", "error", err)
		return nil
	}
	return pem
}

func (s *Server) authority() ([]byte, error) {
	ca, err := s.certs.LocalCA()
	if err != nil {
		return nil, err
	}
	return ca.RootPEM(), nil
}

func (c control) Ready() error {
	switch c.s.state.Load() {
	case starting:
		return errors.New("starting")
	case draining:
		return errors.New("draining")
	}
	return nil
}

func (c control) Status() admin.Status {
	s := c.s
	st := admin.Status{Version: s.opt.Version, PID: os.Getpid(), Started: s.started, LastReload: s.lastReload.Load()}
	if err := c.Ready(); err != nil {
		st.NotReady = err.Error()
	}
	st.Ready = st.NotReady == ""
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Generation = s.generation
	for _, d := range s.doors {
		st.Listeners = append(st.Listeners, d.describe()...)
	}
	slices.SortFunc(st.Listeners, func(a, b admin.Listener) int {
		return strings.Compare(a.Address+a.Network, b.Address+b.Network)
	})
	return st
}

func (c control) Config() ([]byte, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.s.file.YAML()
}

func (c control) Reload(ctx context.Context) error {
	err := c.s.Reload(ctx)
	if p := unavailable(err); p != nil {
		return p
	}
	if err != nil {
		return admin.Refused("the configuration was refused", nothingChanged, faults(err)...)
	}
	return nil
}

// unavailable is the problem of a change that could not be tried, nil for other errors.
func unavailable(err error) error {
	if errors.Is(err, ErrBusy) || errors.Is(err, ErrClosed) {
		return admin.Conflict(err.Error(), "nothing has changed")
	}
	return nil
}

const nothingChanged = "nothing has changed; mend it and try again"

// faults lists the errors that err joins, each with its place if it has one.
func faults(err error) []admin.Fault {
	var fault config.Fault
	switch e := err.(type) {
	case config.Faults:
		var list []admin.Fault
		for _, f := range e {
			list = append(list, faults(f)...)
		}
		return list
	case interface{ Unwrap() []error }:
		var list []admin.Fault
		for _, each := range e.Unwrap() {
			list = append(list, faults(each)...)
		}
		return list
	}
	if errors.As(err, &fault) {
		return []admin.Fault{{Place: fmt.Sprintf("%s:%d:%d", fault.File, fault.Line, fault.Column),
			Message: fault.Path + ": " + fault.Message}}
	}
	return []admin.Fault{{Message: err.Error()}}
}

func (c control) Strategies() []admin.Strategy {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []admin.Strategy
	for name := range s.strategies {
		list = append(list, s.describeStrategy(name))
	}
	slices.SortFunc(list, func(a, b admin.Strategy) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// describeStrategy needs s.mu.
func (s *Server) describeStrategy(name string) admin.Strategy {
	st := s.strategies[name].Status()
	options := json.RawMessage(s.conf.Strategies[name].Options)
	if spec, ok := s.swapped[name]; ok {
		options = spec.Options
	}
	state := "serving"
	if !st.QuarantinedUntil.IsZero() {
		state = "quarantined until " + st.QuarantinedUntil.UTC().Format("15:04:05") + " UTC"
	}
	return admin.Strategy{
		Name: name, Use: st.Use, Digest: st.Digest, Options: options, State: state, Generation: uint64(st.Generation),
		Instances: st.Instances, Pools: st.Pools, Attributes: st.Attributes,
		Faults: st.Faults, LastFault: st.LastFault, RecentFaults: troubles(st.Recent),
		FuelMean: st.Fuel.Mean(), FuelMost: uint64(st.Fuel.Most),
	}
}

func troubles(faults []strategy.Fault) []admin.Trouble {
	var list []admin.Trouble
	for _, f := range faults {
		t := admin.Trouble{At: f.At, Kind: f.Kind.String(), Step: f.Step, Text: f.Text, Log: f.Log}
		if f.Stack != "" {
			t.Stack = strings.Split(f.Stack, "\n")
		}
		list = append(list, t)
	}
	return list
}

func (c control) Swap(ctx context.Context, name string, r admin.Swap) (admin.Strategy, error) {
	s := c.s
	request := SwapRequest{Use: r.Use, Module: r.Module, Options: r.Options, Signature: r.Signature}
	if request.Module == nil && filepath.IsAbs(r.Use) {
		file, err := uploadedFile(r.Use)
		if err != nil {
			return admin.Strategy{}, admin.Refused("the plugin cannot be read", nothingChanged, faults(err)...)
		}
		request.Module, request.Signature = file.wasm, file.signature
	}
	err := s.Swap(ctx, name, request)
	switch {
	case unavailable(err) != nil:
		return admin.Strategy{}, unavailable(err)
	case errors.Is(err, ErrUnknown):
		return admin.Strategy{}, admin.NotFound("strategy", name, "wedge status lists those there are")
	case err != nil:
		return admin.Strategy{}, admin.Refused("the swap was refused", nothingChanged, faults(err)...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.describeStrategy(name), nil
}

func (c control) Certificates() []admin.Certificate {
	var list []admin.Certificate
	for _, i := range c.s.certs.Certificates() {
		list = append(list, admin.Certificate{
			Names: []string{i.Host}, Issuer: i.Issuer, Source: string(i.Source), NotAfter: i.NotAfter, Error: i.Error,
		})
	}
	return list
}

func (c control) Authority() ([]byte, error) { return c.s.authority() }

var _ admin.Control = control{}
