package sdk

// Ring maps keys to backends by points on a circle (Karger et al.: Consistent Hashing and Random
// Trees, STOC 1997; points by weight as in libketama, 2007). A key belongs to the next point. A
// change of membership moves the fewest keys; the spread is coarser than Maglev's.
type Ring struct {
	placement
	points []point  // sorted
	start  []uint32 // the first point of each bucket; one bucket for each value of the top bits
	shift  uint
}

// point is a place on the circle, with its owner in the lowest 16 bits.
type point uint64

const ownerMask = 1<<16 - 1

const (
	pointsPerWeight = 160     // points of a backend for each unit of its weight
	minPoints       = 1_024   // of a ring: light rings get a multiple
	maxPoints       = 1 << 18 // of a ring, about: heavy rings get a fraction
)

// NewRing is a Ring of a table.
func NewRing(b Backends) Ring {
	var t Ring
	t.Update(b)
	return t
}

// Update takes in a table.
func (t *Ring) Update(b Backends) {
	if t.update(b) {
		t.build(b)
	}
}

// Lookup is the backend for a key, or -1.
func (t *Ring) Lookup(key uint64) int { return t.Pick(nil, key) }

// Pick is the backend for a key, or -1. Backends that r excludes are passed over.
func (t *Ring) Pick(r *Request, key uint64) int {
	if i := t.place(key); i >= 0 && t.spread.Usable(i) && !excludes(r, i) {
		return i
	}
	return t.settle(t, r, key)
}

func (t *Ring) place(key uint64) int {
	n := uint32(len(t.points))
	if n == 0 {
		return -1
	}
	i := t.start[key>>t.shift]
	for i < n && uint64(t.points[i]) < key {
		i++
	}
	if i == n {
		i = 0
	}
	return int(t.points[i] & ownerMask)
}

// build makes the points and sorts them. Points are spread evenly, so as many buckets as points
// make the sort and each look-up take constant steps a point.
func (t *Ring) build(b Backends) {
	list := points(b)
	bits := uint(1)
	for 1<<bits < len(list) {
		bits++
	}
	t.shift = 64 - bits
	t.start = resize(t.start, 1<<bits)
	clear(t.start)
	for _, p := range list {
		t.start[p>>t.shift]++
	}
	var sum uint32
	for i, n := range t.start {
		t.start[i], sum = sum, sum+n
	}
	t.points = resize(t.points, len(list))
	for _, p := range list {
		bucket := p >> t.shift
		t.points[t.start[bucket]] = p
		t.start[bucket]++
	}
	copy(t.start[1:], t.start) // each start has moved to its bucket's end, the start of the next
	t.start[0] = 0
	sortPoints(t.points)
}

// sortPoints is insertion sort, which is quick where all but neighbours are in order.
func sortPoints(list []point) {
	for i := 1; i < len(list); i++ {
		for k := i; k > 0 && list[k] < list[k-1]; k-- {
			list[k], list[k-1] = list[k-1], list[k]
		}
	}
}

// points gives the points of all backends. The k-th point of a backend depends on its id and k
// alone, so a change of scale adds or removes points and moves none.
func points(b Backends) []point {
	weights := b.placing()
	var total uint64
	for _, w := range weights {
		total += w
	}
	times, shift := pointScale(total)
	var count uint64
	for i, w := range weights {
		if w > 0 {
			weights[i] = max(1, w*times>>shift)
			count += weights[i]
		}
	}
	list := make([]point, 0, count) // exact: a large ring must not grow by copies
	for i, n := range weights {
		id := Sum64(b.field(i, 0))
		for k := range n {
			list = append(list, point(rehash(id, int(k)+1)&^ownerMask)|point(i))
		}
	}
	return list
}

// pointScale gives points per unit of weight as a factor and a shift to the right. It changes by
// powers of two, so that it stays the same for most changes of a table.
func pointScale(total uint64) (times uint64, shift uint) {
	times = pointsPerWeight
	for total > 0 && total*times < minPoints {
		times *= 2
	}
	for total*times>>shift > maxPoints {
		shift++
	}
	return times, shift
}
