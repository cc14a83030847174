package proxy

import (
	"bytes"
	"net/http"
	"time"

	"github.com/wedge-lb/wedge/edge/affinity"
	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

// takePin finds who the client is pinned to. A token is taken out of the request: the backend never sees it.
func (x *Exchange) takePin() {
	x.look(&x.token, false)
	x.findSession()
}

// findPin is takePin but takes nothing out; it tells whether the client is pinned in the route's pool.
func (x *Exchange) findPin() bool {
	x.token.Reset()
	x.look(&x.token, true)
	x.findSession()
	return x.token.Valid || x.session.Known
}

// dropTokens takes out what may be a token of the route's pool.
func (x *Exchange) dropTokens() {
	var ignored affinity.Token
	x.look(&ignored, false)
}

func (x *Exchange) findSession() {
	r := &x.Request
	x.session = x.route.Affinity.FindSession(&r.Fields, r.Query, x.scratch[len(x.scratch):], x.start)
}

// look reads the client's token into t, and takes it out of the request unless it is to be kept there.
func (x *Exchange) look(t *affinity.Token, keep bool) {
	switch a := x.route.Affinity; a.Carrier() {
	case affinity.InCookie:
		x.lookInCookies(a, t, keep)
	case affinity.InHeader:
		x.lookInFields(a, t, keep)
	case affinity.InQuery:
		x.lookInQuery(a, t, keep)
	}
}

func (x *Exchange) lookInCookies(a *affinity.Affinity, t *affinity.Token, keep bool) {
	f := &x.Request.Fields
	empty := false
	for i := range *f {
		field := &(*f)[i]
		if !http1.EqualFold(field.Name, "cookie") {
			continue
		}
		start := len(x.scratch)
		rest, found := a.Take(t, x.scratch[start:start], field.Value, x.Secure, x.start)
		if found && !keep {
			x.scratch = append(x.scratch[:start], rest...) // where rest may lie already, but further on
			field.Value = x.scratch[start:]
			empty = empty || len(rest) == 0
		}
	}
	if empty {
		dropEmptyCookies(f)
	}
}

func (x *Exchange) lookInFields(a *affinity.Affinity, t *affinity.Token, keep bool) {
	f := &x.Request.Fields
	value, at := f.Next(a.Header(), 0)
	if at == 0 {
		return
	}
	for ; at > 0; value, at = f.Next(a.Header(), at) {
		a.TakeField(t, value, x.start)
	}
	if !keep {
		f.Del(a.Header())
	}
}

// lookInQuery takes the token also out of the address of the page that the request comes from.
func (x *Exchange) lookInQuery(a *affinity.Affinity, t *affinity.Token, keep bool) {
	r := &x.Request
	query, left := r.Query, r.HasQuery
	if r.HasQuery {
		query, left = x.withoutParameter(a, t, r.Query)
	}
	if keep {
		return
	}
	r.Query, r.HasQuery = query, left
	for i := range r.Fields {
		if field := &r.Fields[i]; http1.EqualFold(field.Name, "referer") {
			field.Value = x.cleanReferer(a, field.Value)
		}
	}
}

func (x *Exchange) withoutParameter(
	a *affinity.Affinity, t *affinity.Token, query []byte) (rest []byte, kept bool) {
	start := len(x.scratch)
	rest, kept, found := a.TakeQuery(t, x.scratch[start:start], query, x.start)
	if found {
		x.scratch = append(x.scratch[:start], rest...)
		rest = x.scratch[start:]
	}
	return rest, kept
}

func (x *Exchange) cleanReferer(a *affinity.Affinity, value []byte) []byte {
	at := bytes.IndexByte(value, '?')
	if at < 0 {
		return value
	}
	var old affinity.Token // of a page before: it pins nobody
	query, kept := x.withoutParameter(a, &old, value[at+1:])
	if len(query) == len(value)-at-1 {
		return value
	}
	start := len(x.scratch)
	x.scratch = append(x.scratch, value[:at]...)
	if kept {
		x.scratch = append(append(x.scratch, '?'), query...)
	}
	return x.scratch[start:]
}

// pinned tells whether the client is pinned, be it to a backend that is no more; b is the backend's row.
func (x *Exchange) pinned(set *balance.Set) (b *balance.Backend, ok bool) {
	switch {
	case x.session.Known:
		return set.Find(x.session.Backend), true
	case x.token.Valid:
		return set.Lookup(x.token.Backend()), true
	}
	return nil, false
}

// loss tells whether the client is pinned and its backend cannot have the request.
func (x *Exchange) loss(set *balance.Set) (l affinity.Loss, lost bool) {
	if x.left.from != nil {
		return x.left.loss, true
	}
	b, ok := x.pinned(set)
	switch {
	case !ok:
		return l, false
	case b == nil:
		return affinity.Unknown, true
	}
	return affinity.Down, !set.Available(b, true) || x.wasTried(b)
}

// barred tells whether x must not go where the decision says: the client's backend is lost, the pool wants such
// requests refused, and the strategy holds with pins. One that was not asked, as no backend is left, is taken
// to: the request fails in any case.
func (x *Exchange) barred(set *balance.Set, err error) (l affinity.Loss, barred bool) {
	if !x.keeper().FailsUnavailable() {
		return l, false
	}
	l, lost := x.loss(set)
	return l, lost && (x.decision.Pin || err == balance.ErrNoBackend && x.route.Picker != nil)
}

// keeper is the affinity of the pool that has the client's pin.
func (x *Exchange) keeper() *affinity.Affinity {
	if x.left.from != nil {
		return x.left.from.Affinity
	}
	return x.route.Affinity
}

// held tells whether the client is pinned to the backend that was tried and must not be served elsewhere.
func (x *Exchange) held() bool {
	if !x.decision.Pin || !x.route.Affinity.FailsUnavailable() {
		return false
	}
	b, _ := x.pinned(x.route.Pool.Set())
	return b != nil && b.ID == x.backend.ID
}

// refusePinned answers a request whose backend is lost in a pool that wants such requests refused.
func (p *Proxy) refusePinned(x *Exchange, l affinity.Loss) {
	if x.left.from != nil {
		x.route = x.left.from
	}
	x.decision.Reset()
	x.decision.Outcome = balance.Rejected
	x.lose(l)
	x.decided()
	p.problem(x, http.StatusServiceUnavailable, x.decision.Reason, retrySoon)
}

// noteLoss makes the decision tell that the client's pin was lost, if it was and the strategy holds with
// pins.
func (x *Exchange) noteLoss() {
	if l, lost := x.loss(x.route.Pool.Set()); lost && x.decision.Pin {
		x.lose(l)
	}
}

// lose gives the decision the reason of a loss. A request counts once.
func (x *Exchange) lose(l affinity.Loss) {
	a := x.keeper()
	if x.decision.Reason = a.Reason(l); !x.lost {
		a.Lose(l)
	}
	x.lost = true
}

// lent tells whether the backend that answered only stands in for the one that the client stays pinned to.
func (x *Exchange) lent() bool {
	if x.left.from != nil {
		return x.keeper().OnUnavailable() == affinity.Borrow && x.left.loss == affinity.Down
	}
	return x.keeper().Lends(x.pick.Pinned, x.backend)
}

// pin keeps the client with the backend that answered, where the strategy wants that: by its session, or else
// by a token that is added to the answer's fields f. What the answer begins is learnt in any case.
func (x *Exchange) pin(f http1.Fields) http1.Fields {
	a, lent := x.route.Affinity, x.lent()
	if !x.session.Known && x.pick.PinnedTo(x.backend) {
		a.Honoured(&x.token, x.start)
	}
	learnt := a.Learn(&x.session, &x.response.Fields, lent, x.backend, x.start)
	if !x.decision.Pin {
		return f
	}
	if x.session.Present {
		a.Keep(&x.session, lent, x.backend, x.start)
	} else if !learnt && a.Due(&x.token, lent, x.backend, x.start) {
		f = x.private(x.tell(f))
	}
	if x.left.from != nil && !lent { // a token there ends by being older than this one
		x.left.from.Affinity.Forget(&x.left.session)
	}
	return f
}

// tell adds the token.
func (x *Exchange) tell(f http1.Fields) http1.Fields {
	a, start := x.route.Affinity, len(x.scratch)
	if a.Carrier() == affinity.InCookie {
		x.scratch = a.AppendSetCookie(x.scratch, &x.token, x.backend.ID, x.Secure, time.Now())
		f.Add(nameSetCookie, x.scratch[start:])
		return f
	}
	x.scratch = append(x.scratch, a.Header()...)
	name := x.scratch[start:]
	x.scratch = a.AppendToken(x.scratch, &x.token, x.backend.ID, time.Now())
	f.Del(a.Header())
	f.Add(name, x.scratch[start+len(name):])
	return f
}

// reserve takes the client's token out of what a backend says: only the edge tells it.
func (x *Exchange) reserve(f *http1.Fields) {
	a := x.route.Affinity
	if a.Carrier() != affinity.InCookie {
		f.Del(a.Header())
		return
	}
	if _, at := f.Next("set-cookie", 0); at == 0 {
		return
	}
	kept := (*f)[:0]
	for _, field := range *f {
		if !http1.EqualFold(field.Name, "set-cookie") || !a.Issues(field.Value, x.Secure) {
			kept = append(kept, field)
		}
	}
	*f = kept
}

// private keeps an answer out of shared caches: Cache-Control: private, and the directives that go with it,
// unless the answer is uncacheable already.
func (x *Exchange) private(f http1.Fields) http1.Fields {
	for _, field := range f {
		if http1.EqualFold(field.Name, "cache-control") && affinity.Uncacheable(field.Value) {
			return f
		}
	}
	start := len(x.scratch)
	x.scratch = affinity.AppendPrivate(x.scratch, nil)
	for _, field := range f {
		if http1.EqualFold(field.Name, "cache-control") {
			x.scratch = affinity.AppendDirectives(x.scratch, field.Value)
		}
	}
	f.Del("cache-control")
	f.Add(nameCacheControl, x.scratch[start:])
	return f
}

// dropEmptyCookies removes the Cookie fields that have nothing left in them.
func dropEmptyCookies(f *http1.Fields) {
	kept := (*f)[:0]
	for _, field := range *f {
		if len(field.Value) > 0 || !http1.EqualFold(field.Name, "cookie") {
			kept = append(kept, field)
		}
	}
	*f = kept
}
