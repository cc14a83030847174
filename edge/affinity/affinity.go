package affinity

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
)

// A Policy is what happens to a request whose backend is not available.
type Policy uint8

const (
	Repin  Policy = iota // it goes elsewhere and is pinned there
	Borrow               // it goes elsewhere and the pin stays
	Fail                 // it is answered 503
)

// ParsePolicy reads a policy by its name in the configuration; "" = repin.
func ParsePolicy(name string) (Policy, error) {
	switch name {
	case "", "repin":
		return Repin, nil
	case "borrow":
		return Borrow, nil
	case "fail":
		return Fail, nil
	}
	return Repin, fmt.Errorf("on_unavailable %q: want repin, borrow or fail", name)
}

// Options are the rules of one pool's pins.
type Options struct {
	Idle          time.Duration // a pin ends when unused for so long; default 30m
	MaxAge        time.Duration // a pin ends so long after it was made; default 24h
	OnUnavailable Policy
	Carrier       Carrier
	Cookie        Cookie    // of InCookie
	Header        string    // of InHeader and InQuery; default wedge-pin
	Query         string    // of InQuery; default wedge_pin
	Sessions      *Sessions // nil = tokens only
	Before        *Affinity // of the pool so far, whose counts go on; nil = there is none
}

// An Affinity makes and checks the tokens of one pool. It is immutable and safe for concurrent use; a nil
// *Affinity finds no token and sets none.
type Affinity struct {
	keys         []*key
	idle, maxAge int64 // seconds
	onLoss       Policy
	carrier      Carrier
	tls, plain   cookieForm
	bare         []byte // the cookie's name without prefix, which each spelling of it contains
	header       string
	query        []byte
	sessions     *sessions // nil = tokens only
	census       *census
	lost         *tally
}

// An OptionError is about one of the Options.
type OptionError struct {
	Option string // as the configuration calls it, such as header
	Err    error
}

func (e *OptionError) Error() string { return e.Option + ": " + e.Err.Error() }

func (e *OptionError) Unwrap() error { return e.Err }

// New makes the affinity of a pool. The error tells which option cannot be.
func New(pool string, keys *Keyring, o Options) (*Affinity, error) {
	a := &Affinity{
		idle:   seconds(o.Idle, 30*time.Minute),
		maxAge: seconds(o.MaxAge, 24*time.Hour),
		onLoss: o.OnUnavailable,
		census: newCensus(), lost: new(tally),
	}
	if o.Before != nil {
		a.census, a.lost = o.Before.census, o.Before.lost
	} else {
		a.census.setWindow(time.Duration(a.idle) * time.Second)
	}
	for _, s := range keys.secrets {
		a.keys = append(a.keys, newKey(s, pool))
	}
	if a.idle < 1 || a.maxAge < 1 {
		return nil, errors.New("affinity: idle and max_age: want one second or more")
	}
	if err := a.carry(o, pool); err != nil {
		return nil, fmt.Errorf("affinity: %w", err)
	}
	if err := a.remember(o.Sessions, pool, o.Before); err != nil {
		return nil, fmt.Errorf("affinity: %w", &OptionError{"session", err})
	}
	return a, nil
}

// Begin makes a's rules those of what outlives a configuration. It is called once a is in force.
func (a *Affinity) Begin() {
	a.census.setWindow(time.Duration(a.idle) * time.Second)
	if a.sessions != nil {
		a.sessions.table.SetOptions(a.sessions.bounds)
	}
}

func seconds(d, fallback time.Duration) int64 {
	return int64(cmp.Or(d, fallback) / time.Second)
}

// OnUnavailable is what to do with a request whose backend is not available.
func (a *Affinity) OnUnavailable() Policy {
	if a == nil {
		return Repin
	}
	return a.onLoss
}

// FailsUnavailable tells whether the policy is Fail.
func (a *Affinity) FailsUnavailable() bool { return a.OnUnavailable() == Fail }

// Due tells whether the answer of a backend, to a request that the strategy pins, has to tell a token: the
// client has no valid token for it, or a quarter of the idle time has passed since the last one was made.
// A client that was only lent keeps the pin that it has.
func (a *Affinity) Due(t *Token, lent bool, answered *balance.Backend, now time.Time) bool {
	switch {
	case a == nil || lent:
		return false
	case !t.Valid:
		return true
	case string(t.Backend()) == answered.ID:
		return now.Unix()-int64(t.seen) >= a.idle/4
	}
	return true
}

// Lends tells whether the backend that answered only stands in for the one that the client is pinned to, whose
// row pinned is; nil if there is none, and no pin can stay with it.
func (a *Affinity) Lends(pinned, answered *balance.Backend) bool {
	return a.OnUnavailable() == Borrow && pinned != nil && pinned.ID != answered.ID
}

// AppendSetCookie appends the value of the Set-Cookie field that pins the client to the backend that
// answered. The clocks count from now, but a pin that is only refreshed keeps its age. secure tells whether
// the client came over TLS.
func (a *Affinity) AppendSetCookie(dst []byte, t *Token, backend string, secure bool, now time.Time) []byte {
	c := a.cookie(secure)
	dst = append(dst, c.name...)
	dst = append(dst, '=')
	dst = a.AppendToken(dst, t, backend, now)
	return append(dst, c.attributes...)
}

func (a *Affinity) cookie(secure bool) *cookieForm {
	if secure {
		return &a.tls
	}
	return &a.plain
}
