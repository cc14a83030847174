package sdk

// Bounded keeps each backend below Factor times the average load, by weight, and gives what is
// over the bound to other backends (Mirrokni, Thorup, Zadimoghaddam: Consistent Hashing with
// Bounded Loads, SODA 2018). The next choice is pseudo-random, not the neighbour, so that a hot
// backend does not topple the one beside it (Chen, Coleman, Shrivastava: Revisiting Consistent
// Hashing with Bounded Loads, AAAI 2021).
//
// The average comes from the host's counts. Asking for all would cost a call for each backend,
// so a pick asks for the backends it considers and for the next one of a round; with n
// backends the average is at most n picks of its instance old.
type Bounded struct {
	Factor float64 // above 1; 1.25 lets a backend carry a quarter more than the average

	spread Weighted
	load   []int64 // as last heard
	loads  int64   // their sum, over usable backends
	shares float64 // sum of the weights of usable backends
	next   int     // member whose load is asked for next
}

const (
	boundedTries = 8  // choices of one key, each with a call to the host
	boundedScan  = 64 // backends gone through after that, by the load last heard
)

// Update takes in a table.
func (l *Bounded) Update(b Backends) {
	l.spread.Update(b)
	l.load = resize(l.load, b.Len())
	clear(l.load)
	l.loads, l.shares, l.next = 0, 0, 0
	for _, m := range l.spread.members {
		l.shares += float64(l.spread.share[m])
		l.load[m] = int64(b.InFlight(int(m)))
		l.loads += l.load[m]
	}
}

// Pick is the first choice of the key that is below the bound, or any backend below it, or the
// least loaded choice; -1 if no backend is left.
func (l *Bounded) Pick(r *Request, of Placer, key uint64) int {
	l.refresh(r)
	best, least := -1, 0.0
	for n := range boundedTries {
		i := of.Pick(r, rehash(key, n))
		if i < 0 || !l.spread.Usable(i) {
			return i
		}
		l.ask(r, i)
		if l.below(i) {
			return i
		}
		if load := float64(l.load[i]) / float64(l.spread.share[i]); best < 0 || load < least {
			best, least = i, load
		}
	}
	if i := l.scan(r, rehash(key, boundedTries)); i >= 0 {
		return i
	}
	return best
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

// refresh asks for the load of the next backend of the round, to keep the average fresh.
func (l *Bounded) refresh(r *Request) {
	if l.spread.Len() == 0 {
		return
	}
	if l.next++; l.next >= l.spread.Len() {
		l.next = 0
	}
	l.ask(r, int(l.spread.members[l.next]))
}

// ask takes over the load that the host has for a backend.
func (l *Bounded) ask(r *Request, backend int) {
	now := int64(r.InFlight(backend))
	l.loads += now - l.load[backend]
	l.load[backend] = now
}
