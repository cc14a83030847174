package sdk

// turns gives backends in an order in which each comes as often as its weight says. It is
// stride scheduling (Waldspurger, Weihl: MIT/LCS/TM-528, 1995): the one whose next turn is due
// first comes first. Each starts at a phase of its own, so that equals do not come in a row.
type turns struct {
	heap []due
}

type due struct {
	at, stride float64
	owner      int
}

// newTurns starts an order, with the first turn of i due after a part phase(i) of its stride. A
// backend of weight 0 has no turns.
func newTurns(weights []uint64, phase func(i int) float64) *turns {
	t := &turns{}
	for i, w := range weights {
		if w > 0 {
			stride := 1 / float64(w)
			t.heap = append(t.heap, due{at: stride * phase(i), stride: stride, owner: i})
		}
	}
	for i := len(t.heap)/2 - 1; i >= 0; i-- {
		t.sink(i)
	}
	return t
}

func (t *turns) empty() bool { return len(t.heap) == 0 }

// next is the backend whose turn it is.
func (t *turns) next() int {
	first := &t.heap[0]
	owner := first.owner
	first.at += first.stride
	t.sink(0)
	return owner
}

func (d due) before(e due) bool {
	return d.at < e.at || d.at == e.at && d.owner < e.owner
}

func (t *turns) sink(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(t.heap); child++ {
			if t.heap[child].before(t.heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		t.heap[i], t.heap[least] = t.heap[least], t.heap[i]
		i = least
	}
}
