package balance

import "sort"

// A Set is the immutable table of a pool's backends, ordered by id. Every configured backend is a row, so
// that a hash ring stays put while one is down.
type Set struct {
	Version  uint32 // grows with each change of the pool
	Backends []Backend
	Scale    uint32 // what Effective weights are multiplied by: 1, or more while a backend starts slowly
	Panic    bool   // so few backends are well that health is ignored

	open    []uint32 // rows for a new request: the ready ones, or the draining if none is ready
	weights []uint64 // running total of the weights of open
	byID    map[string]*Backend
}

// newSet makes the table of rows and settles their states and weights; below is the share of them that must
// be well for health to be believed.
func newSet(version uint32, rows []Backend, below float64) *Set {
	sort.Slice(rows, func(i, j int) bool { return rows[i].ID < rows[j].ID })
	s := &Set{Version: version, Backends: rows, byID: make(map[string]*Backend, len(rows))}
	t := trustIn(rows, below)
	s.Panic, s.Scale = t == nothing, weigh(rows)
	for i := range rows {
		rows[i].State = rows[i].stateBy(t)
		rows[i].Index = uint32(i)
		s.byID[rows[i].ID] = &rows[i]
	}
	if s.collect(StateReady); len(s.open) == 0 {
		s.collect(StateDraining)
	}
	return s
}

func (s *Set) collect(state State) {
	var total uint64
	for i := range s.Backends {
		if b := &s.Backends[i]; b.State == state {
			total += uint64(b.Effective)
			s.open = append(s.open, uint32(i))
			s.weights = append(s.weights, total)
		}
	}
}

// Row is the backend at an index, nil if there is none.
func (s *Set) Row(index uint32) *Backend {
	if uint64(index) >= uint64(len(s.Backends)) {
		return nil
	}
	return &s.Backends[index]
}

// Lookup is the row of an id, nil if there is none. It does not allocate.
func (s *Set) Lookup(id []byte) *Backend { return s.byID[string(id)] }

// Find is Lookup by a string.
func (s *Set) Find(id string) *Backend { return s.byID[id] }

// Available tells whether a request may be sent to b: it is ready, or draining and either the request's pin
// or all that is left. b is a row of s.
func (s *Set) Available(b *Backend, pinned bool) bool {
	switch b.State {
	case StateReady:
		return true
	case StateDraining:
		return pinned || len(s.open) > 0 && s.Backends[s.open[0]].State == StateDraining
	}
	return false
}

// Open is the number of backends that a new request may go to.
func (s *Set) Open() int { return len(s.open) }
