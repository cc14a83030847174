package sdk

// Bounded keeps each backend below Factor times the average load, by weight, and gives what is
// over the bound to other backends (Mirrokni, Thorup, Zadimoghaddam: Consistent Hashing with
// Bounded Loads, SODA 2018). The next choice is pseudo-random, not the neighbour, so that a hot
// backend does not topple the one beside it (Chen, Coleman, Shrivastava: Revisiting Consistent
// Hashing with Bounded Loads, AAAI 2021).
//
// The average comes from the host's counts. Asking for all would cost with the size of the pool, so
// the one call of a pick asks for the backend it considers, and after each few busy picks for the next
// one of a round too. It asks for some more before a key is given away.
type Bounded struct {
	Factor float64 // above 1; 1.25 lets a backend carry a quarter more than the average

	spread Weighted
	load   []int64 // as last heard
	loads  int64   // their sum, over usable backends
	shares float64 // sum of the weights of usable backends
	next   int     // member whose load was asked for last in the round
	busy   int     // picks of busy backends since the last step of the round
	asked  []Load  // of the next call
}

const (
	boundedEvery = 4  // busy picks for one step of the round
	boundedTries = 8  // next choices of one key
	boundedStep  = 4  // choices, and steps of the round, of one call before a key is given away
	boundedScan  = 64 // backends gone through after that, by the load last heard
)

// Update takes in a table.
func (l *Bounded) Update(b Backends) {
	l.spread.Update(b)
	l.load = resize(l.load, b.Len())
	clear(l.load)
	l.loads, l.shares, l.next = 0, 0, 0
	l.asked = make([]Load, 0, 2*boundedStep)
	for _, m := range l.spread.members {
		l.shares += float64(l.spread.share[m])
		l.hear(int(m), int64(b.InFlight(int(m))))
	}
}

// Pick is the first choice of the key that is below the bound, or any backend below it, or the
// least loaded choice; -1 if no backend is left.
func (l *Bounded) Pick(r *Request, of Placer, key uint64) int {
	own := of.Pick(r, key)
	if own < 0 || !l.spread.Usable(own) {
		return own
	}
	if l.busy < boundedEvery {
		l.hear(own, int64(r.InFlight(own)))
	} else {
		l.refresh(r, own)
	}
	if l.load[own] == 0 { // every bound allows one request
		return own
	}
	if l.busy++; l.below(own) {
		return own
	}
	return l.elsewhere(r, of, key, own)
}

// refresh asks for the load of a key's own backend and for the next of the round.
func (l *Bounded) refresh(r *Request, own int) {
	l.busy = 0
	l.consider(own)
	l.ask(r, 1)
}

// elsewhere is where a key goes whose own backend is over the bound.
func (l *Bounded) elsewhere(r *Request, of Placer, key uint64, own int) int {
	best := own
	for n := 0; n < boundedTries; n += boundedStep {
		for k := range boundedStep {
			i := of.Pick(r, rehash(key, n+k)) // its own again, first: the average may have risen
			if i < 0 || !l.spread.Usable(i) {
				return best
			}
			l.consider(i)
		}
		choices := l.asked
		l.ask(r, boundedStep)
		for _, c := range choices {
			i := int(c.Backend)
			if l.below(i) {
				return i
			}
			if l.relative(i) < l.relative(best) {
				best = i
			}
		}
	}
	if i := l.scan(r, rehash(key, boundedTries)); i >= 0 {
		return i
	}
	return best
}

func (l *Bounded) relative(backend int) float64 {
	return float64(l.load[backend]) / float64(l.spread.share[backend])
}

// scan is the first backend below the bound from a place that x names, or -1.
func (l *Bounded) scan(r *Request, x uint64) int {
	n := l.spread.Len()
	at := scale(x, n)
	for range min(n, boundedScan) {
		if i := int(l.spread.members[at]); l.below(i) && !excludes(r, i) {
			return i
		}
		if at++; at == n {
			at = 0
		}
	}
	return -1
}

// below reports whether a backend may carry one more request.
func (l *Bounded) below(backend int) bool {
	share := float64(l.spread.share[backend]) / l.shares
	return float64(l.load[backend]+1) <= l.bound(share)
}

// bound is the most requests that a backend with this share may carry, this one included.
func (l *Bounded) bound(share float64) float64 {
	most := l.Factor * float64(l.loads+1) * share
	if whole := float64(int64(most)); whole < most {
		return whole + 1
	}
	return most
}

// consider puts a backend on the list of the next call.
func (l *Bounded) consider(backend int) { l.asked = append(l.asked, Load{Backend: uint32(backend)}) }

// ask takes over the loads that the host has for the backends on the list and for the next ones of
// the round, which keep the average fresh.
func (l *Bounded) ask(r *Request, round int) {
	for range round {
		if l.next++; l.next >= l.spread.Len() {
			l.next = 0
		}
		l.consider(int(l.spread.members[l.next]))
	}
	r.Loads(l.asked)
	for i := range l.asked {
		l.hear(int(l.asked[i].Backend), int64(max(l.asked[i].InFlight, 0)))
	}
	l.asked = l.asked[:0]
}

// hear takes over the load of a backend.
func (l *Bounded) hear(backend int, now int64) {
	l.loads += now - l.load[backend]
	l.load[backend] = now
}
