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
	boundedTries  = 8 // choices of one key before the least loaded of them is taken
	boundedRounds = 1 // backends whose load a pick asks for, to keep the average fresh
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

// Pick is the first choice of the key that is below the bound, or the least loaded of several, or
// -1 if no backend is left.
func (l *Bounded) Pick(r *Request, of Placer, key uint64) int {
	l.refresh(r)
	best, least := -1, 0.0
	for n := range boundedTries {
		i := of.Pick(r, rehash(key, n))
		if i < 0 || !l.spread.Usable(i) {
			return i
		}
		share := float64(l.spread.share[i]) / l.shares
		load := float64(l.ask(r, i) + 1)
		if load <= l.bound(share) {
			return i
		}
		if load /= share; best < 0 || load < least {
			best, least = i, load
		}
	}
	return best
}

// bound is the most requests that a backend with this share may carry, this one included.
func (l *Bounded) bound(share float64) float64 {
	most := l.Factor * float64(l.loads+1) * share
	if whole := float64(int64(most)); whole < most {
		return whole + 1
	}
	return most
}

// refresh asks for the load of the next backends of the round.
func (l *Bounded) refresh(r *Request) {
	for range min(boundedRounds, l.spread.Len()) {
		if l.next >= l.spread.Len() {
			l.next = 0
		}
		l.ask(r, int(l.spread.members[l.next]))
		l.next++
	}
}

func (l *Bounded) ask(r *Request, backend int) int64 {
	now := int64(r.InFlight(backend))
	l.loads += now - l.load[backend]
	l.load[backend] = now
	return now
}
