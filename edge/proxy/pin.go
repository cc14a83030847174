package proxy

import (
	"time"

	"github.com/wedge-lb/wedge/edge/affinity"
	"github.com/wedge-lb/wedge/edge/http1"
)

// takeToken finds the client's token and takes it out of the Cookie fields: the backend never sees it.
func (x *Exchange) takeToken() {
	f := &x.Request.Fields
	empty := false
	for i := range *f {
		field := &(*f)[i]
		if !http1.EqualFold(field.Name, "cookie") {
			continue
		}
		start := len(x.scratch)
		rest, found := x.route.Affinity.Take(&x.token, x.scratch[start:start], field.Value, x.Secure, x.start)
		if found {
			field.Value = rest
			empty = empty || len(rest) == 0
			x.scratch = append(x.scratch[:start], rest...)
		}
	}
	if empty {
		dropEmptyCookies(f)
	}
}

// pin adds the token of the backend that answered, where the strategy wants one and the client needs one, and
// keeps such an answer out of shared caches.
func (x *Exchange) pin(f http1.Fields) http1.Fields {
	a := x.route.Affinity
	if x.pick.Pinned != nil && x.pick.Pinned.ID == x.backend.ID {
		a.Honoured(&x.token, x.start)
	}
	if !x.decision.Pin || !a.Due(&x.token, x.pick.Pinned, x.backend, x.start) {
		return f
	}
	start := len(x.scratch)
	x.scratch = a.AppendSetCookie(x.scratch, &x.token, x.backend.ID, x.Secure, time.Now())
	f.Add(nameSetCookie, x.scratch[start:])
	return x.private(f)
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
