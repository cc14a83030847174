package sdk

// Weighted draws usable backends in proportion to their weights, at the same cost for 2 and for
// 2,000. It is Walker's alias method with the tables of Vose (A Linear Algorithm for Generating
// Random Numbers with a Given Distribution, IEEE TSE 17, 1991).
type Weighted struct {
	members []uint16 // usable backends
	cut     []uint32 // a coin below it stays with the member, in 1/2^32
	alias   []uint16 // where other coins go, as a position in members
	share   []uint32 // by backend; 0 = not usable
}

// Update takes in a table.
func (w *Weighted) Update(b Backends) {
	w.members = w.members[:0]
	w.share = resize(w.share, b.Len())
	for i := range w.share {
		w.share[i] = 0
		if b.Usable(i) {
			w.share[i] = b.share(i)
			w.members = append(w.members, uint16(i))
		}
	}
	w.build()
}

// build makes the alias tables: each slot has the average share, and a member with less than
// that lends the rest of its slot to one with more.
func (w *Weighted) build() {
	n := len(w.members)
	w.cut, w.alias = resize(w.cut, n), resize(w.alias, n)
	left, total := make([]uint64, n), uint64(0)
	for i, m := range w.members {
		left[i] = uint64(w.share[m]) * uint64(n)
		total += uint64(w.share[m])
	}
	var small, large []int
	for i, p := range left {
		w.cut[i], w.alias[i] = ^uint32(0), uint16(i)
		if p < total {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		w.cut[s] = uint32(float64(left[s]) / float64(total) * (1 << 32))
		w.alias[s] = uint16(l)
		if left[l] -= total - left[s]; left[l] < total {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
}

// Len is the number of usable backends.
func (w *Weighted) Len() int { return len(w.members) }

// Usable reports whether a backend may be drawn.
func (w *Weighted) Usable(backend int) bool { return backend < len(w.share) && w.share[backend] > 0 }

// At is the backend that 64 random bits, or the hash of a key, draw; -1 if none is usable.
func (w *Weighted) At(x uint64) int {
	if len(w.members) == 0 {
		return -1
	}
	i := scale(x, len(w.members))
	if uint32(x) >= w.cut[i] {
		i = int(w.alias[i])
	}
	return int(w.members[i])
}

// drawTries is how often a draw that hit a forbidden backend is repeated before the members
// are gone through one by one.
const drawTries = 8

// draw is a random backend, by weight, that is neither not nor excluded; -1 if there is none.
func (w *Weighted) draw(r *Request, rand *Rand, not int) int {
	for range drawTries {
		if i := w.At(rand.Uint64()); i != not && !excludes(r, i) {
			return i
		}
	}
	return w.other(r, rand.Uint64(), not)
}

// other is the first backend from a place that x names that is neither not nor excluded.
func (w *Weighted) other(r *Request, x uint64, not int) int {
	n := len(w.members)
	start := scale(x, n)
	for k := range n {
		if start+k == n {
			start = -k
		}
		if i := int(w.members[start+k]); i != not && !excludes(r, i) {
			return i
		}
	}
	return -1
}

// lighter reports whether b, with one more request, would still carry no more for its weight than
// a does now, so that a request should leave a for b. Between idle backends it is false: the draw
// by weight stands and shares stay proportional. For equal weights it is: fewer in flight.
func (w *Weighted) lighter(b, loadB, a, loadA int) bool {
	return loadA > 0 && uint64(loadB+1)*uint64(w.share[a]) <= uint64(loadA)*uint64(w.share[b])
}

// resize gives a slice of length n, reusing s if it is large enough. Its content is undefined.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
