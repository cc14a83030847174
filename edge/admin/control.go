package admin

import (
	"context"
	"encoding/json"
	"time"
)

// Control is the edge as its operator sees it. It is called concurrently. An error that is a *Problem reaches
// the operator as it is, any other as a 500 with its text.
type Control interface {
	Reporter
	Configurer
	Strategist
	Operator
	Certifier
}

// A Reporter tells what runs.
type Reporter interface {
	Status() Status
	Ready() error // nil if requests are served; else why not
}

// A Configurer has the configuration.
type Configurer interface {
	Config() ([]byte, error)          // the one in force as YAML, without secrets
	Reload(ctx context.Context) error // reads it again; an error means that nothing changed
}

// A Strategist has the strategies.
type Strategist interface {
	Strategies() []Strategy // by name
	// Swap replaces what a strategy runs, while it runs; an error means that nothing changed.
	Swap(ctx context.Context, strategy string, s Swap) (Strategy, error)
}

// An Operator has the pools.
type Operator interface {
	Pools() []Pool // by name
	// Override sets an operator's word about a backend, which stands before the configuration's. StateConfigured
	// takes it back, also of a backend that the configuration does not have.
	Override(pool, backend string, c Change) error
	Overrides() []Override // by pool and backend
}

// A Certifier has the certificates.
type Certifier interface {
	Certificates() []Certificate
	Authority() ([]byte, error) // root of the local CA, PEM
}

// The states that an operator can ask for.
const (
	StateReady       = "ready"
	StateDrain       = "drain"
	StateMaintenance = "maintenance"
	StateConfigured  = "configured" // what the configuration says
)

// StateAbsent is of a backend that the configuration does not have.
const StateAbsent = "absent"

// Status is what runs.
type Status struct {
	Version    string     `json:"version"`
	PID        int        `json:"pid"`
	Started    time.Time  `json:"started"`
	Ready      bool       `json:"ready"`
	NotReady   string     `json:"not_ready,omitempty"` // why
	ConfigFile string     `json:"config_file,omitempty"`
	Generation uint64     `json:"generation"` // configurations taken, from 1
	LastReload *Reload    `json:"last_reload,omitempty"`
	Listeners  []Listener `json:"listeners"`
}

// Reload is how the last reload went.
type Reload struct {
	At    time.Time `json:"at"`
	OK    bool      `json:"ok"`
	Error string    `json:"error,omitempty"`
}

// Listener is one address that clients reach the edge at.
type Listener struct {
	Network     string   `json:"network"` // tcp or udp
	Address     string   `json:"address"`
	Protocols   []string `json:"protocols"`
	Connections int64    `json:"connections"`
}

// Strategy is one strategy and what it runs.
type Strategy struct {
	Name       string            `json:"name"`
	Use        string            `json:"use"`    // as in Swap
	Digest     string            `json:"digest"` // of the module, SHA-256 in hex
	Options    json.RawMessage   `json:"options,omitempty"`
	State      string            `json:"state"`
	Generation uint64            `json:"generation"` // modules that it has run, from 1
	Instances  int               `json:"instances"`
	Pools      []string          `json:"pools"`                // that it serves
	Attributes []string          `json:"attributes,omitempty"` // what it sees of a request
	FuelMean   uint64            `json:"fuel_mean"`            // units of work of a pick
	FuelMost   uint64            `json:"fuel_most"`            // of the pick that used the most
	Faults     map[string]uint64 `json:"faults,omitempty"`     // by kind
	LastFault  string            `json:"last_fault,omitempty"`

	RecentFaults []Trouble `json:"recent_faults,omitempty"` // the newest last
}

// Trouble is one fault of a strategy's plugin.
type Trouble struct {
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"`
	Step  string    `json:"step"` // what the plugin was asked for
	Text  string    `json:"text,omitempty"`
	Stack []string  `json:"stack,omitempty"` // of the guest, the innermost function first
	Log   []string  `json:"log,omitempty"`   // the plugin's last lines before it, the newest last
}

// Swap is what a strategy is to run. Module, if given, is used under the name Use; else Use is builtin/NAME,
// the name of a configured plugin, or the path of a file that the edge can read.
type Swap struct {
	Use     string          `json:"use" want:"text such as \"builtin/stateless\""`
	Options json.RawMessage `json:"options,omitempty" want:"an object"`      // none = those it has
	Module  []byte          `json:"module,omitempty" want:"text, in base64"` // base64 in JSON

	// Signature is of Module by Ed25519, 64 bytes, base64 in JSON.
	Signature []byte `json:"signature,omitempty" want:"text, in base64"`
}

// Pool is one pool and its backends.
type Pool struct {
	Name     string    `json:"name"`
	Strategy string    `json:"strategy"`
	Panic    bool      `json:"panic"`    // too few backends are well: health is ignored
	Backends []Backend `json:"backends"` // by id
}

// Backend is one backend and its state.
type Backend struct {
	ID        string `json:"id"`
	Address   string `json:"address"`
	Zone      string `json:"zone,omitempty"`
	Weight    uint32 `json:"weight"`
	State     string `json:"state"`      // ready, draining, down or maintenance
	Override  bool   `json:"override"`   // an operator's word stands before the configuration's
	Down      bool   `json:"down"`       // its probes fail
	Ejected   bool   `json:"ejected"`    // it failed too many requests
	InFlight  int64  `json:"in_flight"`  // requests and streams in progress
	Pins      int    `json:"pins"`       // clients that came back to it within the idle time, estimated
	LatencyNS int64  `json:"latency_ns"` // moving average to the head of an answer; 0 = none yet

	Since        time.Time `json:"since"`                  // it is in State
	EjectedUntil time.Time `json:"ejected_until,omitzero"` // about
	ProbeError   string    `json:"probe_error,omitempty"`  // why its last probe failed
	SlowStart    float64   `json:"slow_start"`             // share of its weight that it has; 1 unless it starts slowly
}

// Certificate is one certificate that is served.
type Certificate struct {
	Names    []string  `json:"names"`
	Issuer   string    `json:"issuer"`
	Source   string    `json:"source"` // acme, internal or file
	NotAfter time.Time `json:"not_after"`
	Error    string    `json:"error,omitempty"` // why it could not be had or renewed
}
