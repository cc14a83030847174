package proxy

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/wedge-lb/wedge/edge/affinity"
	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/observe"
	"github.com/wedge-lb/wedge/edge/route"
)

// A Route is where matching requests go and by which rules.
type Route struct {
	Name     string
	Site     string
	Secure   bool // plain requests are redirected to https
	Pool     *balance.Pool
	Picker   balance.Picker   // nil = the fallback alone
	Observer balance.Observer // hears the results; nil = nobody
	Affinity *affinity.Affinity
	Retry    Retry
	Timeout  time.Duration // to the head of the answer, all attempts together; 0 = none
	Metrics  *observe.Route
	Decided  *observe.Strategy
	Reliefs  map[string]*observe.Strategy // of those who decide while the strategy cannot, by name
	Waits    *observe.Pool                // counts who waits for room and who gets none
	Group    *Group                       // nil = the route has one pool; else the other fields are those of one of them
}

const challengePrefix = "/.well-known/acme-challenge/"

// admit finds the route of x. It is false if the exchange was answered instead.
func (p *Proxy) admit(x *Exchange) bool {
	r := &x.Request
	x.pick.ClientIP = x.client()
	if !x.Secure && p.challenged(x) {
		return false
	}
	m := x.gen.Sites.Match(r.Authority, r.Path, r.Method)
	switch {
	case m.Outcome == route.NoSite && x.Secure, m.Outcome != route.NoSite && !x.served():
		p.problem(x, http.StatusMisdirectedRequest, "misdirected")
	case m.Outcome == route.NoSite:
		p.problem(x, http.StatusNotFound, "unknown_host")
	case !x.Secure && m.Site.Routes[0].Target.Secure:
		p.redirect(x)
	case m.Outcome == route.NoRoute:
		p.problem(x, http.StatusNotFound, "no_route")
	case m.Outcome == route.NoMethod:
		allow := m.Site.AppendAllow(nil, r.Path)
		p.problem(x, http.StatusMethodNotAllowed, "method", http1.Field{Name: nameAllow, Value: allow})
	default:
		x.route = &m.Route.Target
		return true
	}
	return false
}

// served asks the connection's guard once for each new host and generation.
func (x *Exchange) served() bool {
	known := x.guarded == x.gen && x.vouched == x.Guard && x.host == string(x.Request.Authority)
	if x.Guard == nil || known {
		return true
	}
	host := string(x.Request.Authority)
	if !x.Guard.Serves(host) {
		return false
	}
	x.host, x.vouched, x.guarded = host, x.Guard, x.gen
	return true
}

// challenged answers what a certificate authority asks to see.
func (p *Proxy) challenged(x *Exchange) bool {
	r := &x.Request
	if x.gen.Challenge == nil || !bytes.HasPrefix(r.Path, []byte(challengePrefix)) || string(r.Method) != "GET" {
		return false
	}
	body, ok := x.gen.Challenge(r.Authority, r.Path)
	if !ok {
		return false
	}
	x.reason = "acme"
	kind := http1.Field{Name: nameContentType, Value: []byte("application/octet-stream")}
	p.answer(x, http.StatusOK, append(x.fields[:0], kind), []byte(body))
	return true
}

// redirect sends a plain request to the same place over TLS.
func (p *Proxy) redirect(x *Exchange) {
	r := &x.Request
	host := r.Authority
	if i := bytes.LastIndexByte(host, ':'); i > bytes.LastIndexByte(host, ']') {
		host = host[:i]
	}
	to := append([]byte("https://"), host...)
	if port := x.gen.SecurePort; port != 0 && port != 443 {
		to = strconv.AppendUint(append(to, ':'), uint64(port), 10)
	}
	if to = append(to, r.Path...); r.HasQuery {
		to = append(append(to, '?'), r.Query...)
	}
	x.reason = "https"
	p.answer(x, http.StatusPermanentRedirect, append(x.fields[:0], http1.Field{Name: nameLocation, Value: to}), nil)
}

// prepare makes the request ready for a backend: the token is taken out, the edge's own fields are set, and
// what the strategy may know is filled in.
func (x *Exchange) prepare() {
	r := &x.Request
	x.count()
	x.follow()
	trace, _ := r.Fields.Get("traceparent")
	traced := observe.ValidTrace(trace)
	if traced {
		x.trace = append(x.trace, trace...)
	} else {
		x.trace = observe.AppendTrace(x.trace)
	}
	x.sign(!traced)
	q := &x.pick
	q.Timed = x.timed()
	q.Pinned, _ = x.pinned(x.route.Pool.Set())
	q.Method, q.Scheme, q.Authority = r.Method, r.Scheme, r.Authority
	q.Path, q.Query, q.HasQuery = r.Path, r.Query, r.HasQuery
	q.Header, q.Protocol, q.SNI, q.Route = &r.Fields, x.Protocol, x.SNI, x.route.Name
	q.Locator = x.gen.Countries
	r.Client, r.Local = x.whence(), x.Local
}
