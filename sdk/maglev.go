package sdk

// MaglevSize is the number of entries of a Maglev table, a prime. With 2,000 backends each
// still has 32 of them.
const MaglevSize = 65_537

// Maglev maps keys to backends by one look-up in a table (Eisenbud et al.: Maglev, A Fast and
// Reliable Software Network Load Balancer, NSDI 2016). Of the three Placers it spreads keys most
// evenly and looks up fastest; a change of membership moves a few per cent more keys than it must.
// A backend that is down keeps its entries: only its keys move, and they come back.
type Maglev struct {
	placement
	table []uint16
}

// NewMaglev is a Maglev of a table.
func NewMaglev(b Backends) Maglev {
	var m Maglev
	m.Update(b)
	return m
}

// Update takes in a table.
func (m *Maglev) Update(b Backends) {
	if m.update(b) {
		m.table = buildMaglev(b, resize(m.table, MaglevSize))
	}
}

// Lookup is the backend for a key, or -1.
func (m *Maglev) Lookup(key uint64) int { return m.Pick(nil, key) }

// Pick is the backend for a key, or -1. Backends that r excludes are passed over.
func (m *Maglev) Pick(r *Request, key uint64) int {
	if i := m.place(key); i >= 0 && m.spread.Usable(i) && !excludes(r, i) {
		return i
	}
	return m.settle(m, r, key)
}

func (m *Maglev) place(key uint64) int {
	if len(m.table) == 0 {
		return -1
	}
	return int(m.table[key%MaglevSize])
}

// buildMaglev fills the table: backends take turns, as often as their weights say, and each
// takes the next entry of its own permutation that is still free.
func buildMaglev(b Backends, table []uint16) []uint16 {
	const free = ^uint16(0)
	for i := range table {
		table[i] = free
	}
	at, skip := make([]uint32, b.Len()), make([]uint32, b.Len())
	for i := range at {
		h := Sum64(b.field(i, 0))
		at[i], skip[i] = uint32(h%MaglevSize), uint32(Mix(h)%(MaglevSize-1))+1
	}
	turns := newTurns(b.placing(), func(i int) float64 { return float64(at[i]) / MaglevSize })
	if turns.empty() {
		return nil
	}
	for range table {
		i := turns.next()
		for table[at[i]] != free {
			at[i] = (at[i] + skip[i]) % MaglevSize
		}
		table[at[i]] = uint16(i)
	}
	return table
}
