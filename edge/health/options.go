package health

import (
	"cmp"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
)

// Options are what a Checker works with for its whole life.
type Options struct {
	Notify func(Event)   // hears each change, at times on a request's goroutine: must be quick; nil = nobody
	Random func() uint64 // for jitter, safe for concurrent use; default: the runtime's
}

// A Config is how the health of one pool is checked.
type Config struct {
	Pool    *balance.Pool
	Probe   *Probe // nil = no probes
	Passive Passive
	Tuning  balance.Tuning // slow start and panic
}

// A Type is what a Probe asks with.
type Type uint8

const (
	HTTP Type = iota // GET; a redirect is not followed
	TCP              // a connection, which must last for a moment
	GRPC             // grpc.health.v1.Health/Check
)

// A Probe asks each backend, one request at a time.
type Probe struct {
	Type           Type
	Path           string        // of HTTP; may have a query; default /
	Host           string        // of HTTP; default: the backend's address
	Status         []int         // of HTTP, that are healthy; none = 200 to 399
	Body           string        // of HTTP, that the first 64 KiB of the answer must contain
	Service        string        // of GRPC; "" = the server as a whole
	Interval       time.Duration // between two probes, give or take a tenth; default 5s
	Timeout        time.Duration // for all that is looked at of the answer; default 1s
	HealthyAfter   int           // answers in a row; default 2
	UnhealthyAfter int           // failures in a row; default 3

	// Transport carries the probes of HTTP and GRPC; default: NewTransport by protocol h1 or grpc.
	Transport http.RoundTripper
	Dial      Dial // connects those of TCP; default: a net.Dialer
}

func (p *Probe) withDefaults() *Probe {
	d := *p
	d.Path = cmp.Or(p.Path, "/")
	d.Interval = cmp.Or(p.Interval, 5*time.Second)
	d.Timeout = cmp.Or(p.Timeout, time.Second)
	d.HealthyAfter = cmp.Or(p.HealthyAfter, 2)
	d.UnhealthyAfter = cmp.Or(p.UnhealthyAfter, 3)
	if d.Transport == nil {
		d.Transport = NewTransport(map[bool]string{false: "h1", true: "grpc"}[d.Type == GRPC], nil, nil)
	}
	if d.Dial == nil {
		d.Dial = new(net.Dialer).DialContext
	}
	return &d
}

func (p *Probe) healthy(status int) bool {
	if len(p.Status) == 0 {
		return status >= 200 && status < 400
	}
	return slices.Contains(p.Status, status)
}

// Passive ejects a backend for what requests met.
type Passive struct {
	ConnectErrors  int           // in a row; 0 = they do not count
	Consecutive5xx int           // answers of 500 and above, or none, in a row; 0 = they do not count
	ErrorRate      float64       // share of such in Window, from MinRequests on; 0 = it does not count
	Window         time.Duration // default 10s
	MinRequests    int           // default 20
	EjectFor       time.Duration // doubled each time it fails again at once, up to 32 times; default 30s
	MaxEjected     float64       // share of the pool that may be ejected at a time; default 0.5
}

// any tells whether there is a rule by which to eject.
func (p *Passive) any() bool { return p.ConnectErrors > 0 || p.Consecutive5xx > 0 || p.ErrorRate > 0 }

func (p Passive) withDefaults() Passive {
	p.Window = cmp.Or(p.Window, 10*time.Second)
	p.MinRequests = cmp.Or(p.MinRequests, 20)
	p.EjectFor = cmp.Or(p.EjectFor, 30*time.Second)
	p.MaxEjected = cmp.Or(p.MaxEjected, 0.5)
	return p
}

// A Change is what happened to a backend.
type Change uint8

const (
	Up       Change = iota // its probes are answered again
	Down                   // its probes fail
	Ejected                // it failed too many requests
	Returned               // its ejection is over
)

var changeNames = [...]string{"up", "down", "ejected", "returned"}

func (c Change) String() string { return changeNames[c] }

// An Event is one change of one backend.
type Event struct {
	Pool, Backend string
	Change        Change
	Reason        string        // why it is Down or Ejected
	For           time.Duration // how long it is Ejected
}

func (o Options) withDefaults() Options {
	if o.Notify == nil {
		o.Notify = func(Event) {}
	}
	if o.Random == nil {
		o.Random = rand.Uint64
	}
	return o
}

// jitter gives d, a tenth more or less.
func (o *Options) jitter(d time.Duration) time.Duration {
	span := max(d/5, 1)
	return d - span/2 + time.Duration(o.Random()%uint64(span))
}
