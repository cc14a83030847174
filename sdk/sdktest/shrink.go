package sdktest

import "github.com/wedge-lb/wedge/sdk/abi"

// maxShrinks is how many smaller trials are tried at most.
const maxShrinks = 600

// shrinker looks for a smaller trial in which a property still fails, greedily: what can be left out is.
type shrinker struct {
	fails func(trial) string // what is wrong with a trial, "" = nothing
	tries int
	best  trial
	wrong string
}

func (c *conformity) shrink(p property, t trial, wrong string) (trial, string) {
	s := &shrinker{fails: func(t trial) string { return p.holds(c, t) }, best: t, wrong: wrong}
	for again := true; again && s.tries < maxShrinks; {
		again = s.steps()
		again = s.requests() || again
		again = s.backends() || again
		again = s.plainer() || again
	}
	return s.best, s.wrong
}

// try takes a trial if the property fails in it.
func (s *shrinker) try(t trial) bool {
	if s.tries++; s.tries > maxShrinks || len(t) == 0 {
		return false
	}
	wrong := s.fails(t)
	if wrong == "" {
		return false
	}
	s.best, s.wrong = t, wrong
	return true
}

func (s *shrinker) steps() (smaller bool) {
	return s.cut(func() int { return len(s.best) }, func(from, to int) trial {
		return append(append(trial{}, s.best[:from]...), s.best[to:]...)
	})
}

// requests leaves out the same ones of every step, so that steps stay comparable.
func (s *shrinker) requests() (smaller bool) {
	length := func() (n int) {
		for _, step := range s.best {
			n = max(n, len(step.requests))
		}
		return n
	}
	return s.cut(length, func(from, to int) trial {
		return s.best.each(func(one *step) {
			a, b := min(from, len(one.requests)), min(to, len(one.requests))
			one.requests = append(one.requests[:a], one.requests[b:]...)
		})
	})
}

func (s *shrinker) backends() (smaller bool) {
	return s.cut(func() int { return len(s.best.ids()) }, func(from, to int) trial {
		return s.best.without(s.best.ids()[from:to])
	})
}

// cut leaves out runs of a list, long ones first.
func (s *shrinker) cut(length func() int, without func(from, to int) trial) (smaller bool) {
	for size := length(); size > 0; size /= 2 {
		for from := 0; from < length(); {
			if s.try(without(from, min(from+size, length()))) {
				smaller = true
				continue // what followed is here now
			}
			from += size
		}
	}
	return smaller
}

// plainer makes backends and requests ordinary, one kind of speciality at a time, then one by one.
func (s *shrinker) plainer() (smaller bool) {
	for _, edit := range []func(*Backend){
		func(b *Backend) { b.Weight = 0 },
		func(b *Backend) { b.State = abi.StateReady },
	} {
		for _, id := range s.best.ids() {
			smaller = s.differs(func(one *step) (changed bool) {
				for i := range one.table {
					if b := &one.table[i]; b.ID == id {
						before := *b
						edit(b)
						changed = changed || b.Weight != before.Weight || b.State != before.State
					}
				}
				return changed
			}) || smaller
		}
	}
	return s.differs(func(one *step) bool { return one.unpin() }) ||
		s.differs(func(one *step) bool { return one.include() }) || smaller
}

// differs tries an edit of every step, if it changes anything.
func (s *shrinker) differs(edit func(*step) bool) bool {
	changed := false
	t := s.best.each(func(one *step) { changed = edit(one) || changed })
	return changed && s.try(t)
}

func (s *step) unpin() (changed bool) {
	for i := range s.requests {
		changed = changed || s.requests[i].Pinned != ""
		s.requests[i].Pinned = ""
	}
	return changed
}

func (s *step) include() (changed bool) {
	for i := range s.requests {
		changed = changed || len(s.requests[i].Excluded) > 0
		s.requests[i].Excluded = nil
	}
	return changed
}
