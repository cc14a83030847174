package affinity

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// A Recent estimates how many distinct clients were seen within a time: each client that was seen within it
// is counted, and none that was not seen for half as long again. It is within about 5 % of the truth for many
// clients and exact but for luck for a few (HyperLogLog with linear counting below its range, Flajolet et
// al., 2007). It takes 1.5 KiB at most. It is safe for concurrent use without a lock.
type Recent struct {
	half    atomic.Int64 // ns
	current atomic.Pointer[spans]
}

// NewRecent makes a Recent that has seen nobody.
func NewRecent(window time.Duration) *Recent {
	r := new(Recent)
	r.SetWindow(window)
	return r
}

// SetWindow changes the time, from the next turn of half of it on.
func (r *Recent) SetWindow(window time.Duration) { r.half.Store(int64(max(window/2, 1))) }

// Add notes a client, by a hash whose bits are all of use. It allocates only when half of the time has
// passed.
func (r *Recent) Add(hash uint64, now time.Time) { r.at(now).sketch[0].add(hash) }

// Estimate is the number of clients.
func (r *Recent) Estimate(now time.Time) int {
	var all registers
	for _, s := range r.at(now).sketch {
		if s != nil {
			all.join(s)
		}
	}
	return all.estimate()
}

// at gives the spans of now and turns to them if need be. Who still holds the ones before adds to what is
// shared with these, so that nothing is lost.
func (r *Recent) at(now time.Time) *spans {
	for {
		s := r.current.Load()
		if s != nil && now.UnixNano() < s.until {
			return s
		}
		if next := s.turn(now.UnixNano(), r.half.Load()); r.current.CompareAndSwap(s, next) {
			return next
		}
	}
}

// spans are who was seen in this half of the window and in the two before.
type spans struct {
	until  int64      // Unix ns: the end of the first
	sketch [3]*sketch // newest first; nil = nobody
}

func (s *spans) turn(now, half int64) *spans {
	next := &spans{until: now + half}
	if s != nil {
		passed := (now-s.until)/half + 1
		next.until = s.until + passed*half
		for i := range next.sketch {
			if from := int64(i) - passed; from >= 0 {
				next.sketch[i] = s.sketch[from]
			}
		}
	}
	next.sketch[0] = new(sketch)
	return next
}

const (
	registerCount = 512
	perWord       = 4 // registers of a byte each
)

// registers are the longest runs of leading zeros of the hashes, plus one, by their last bits; 0 = none came.
type registers [registerCount]uint8

// sketch is registers that many may write.
type sketch [registerCount / perWord]atomic.Uint32

func (s *sketch) add(hash uint64) {
	rank := uint32(bits.LeadingZeros64(hash|(registerCount-1)) + 1)
	at := hash % registerCount
	word, shift := &s[at/perWord], at%perWord*8
	for {
		old := word.Load()
		if old>>shift&0xff >= rank {
			return
		}
		if word.CompareAndSwap(old, old&^(0xff<<shift)|rank<<shift) {
			return
		}
	}
}

func (r *registers) join(s *sketch) {
	for i := range r {
		r[i] = max(r[i], uint8(s[i/perWord].Load()>>(i%perWord*8)))
	}
}

func (r *registers) estimate() int {
	const m = float64(registerCount)
	sum, zeros := 0.0, 0.0
	for _, v := range r {
		sum += math.Ldexp(1, -int(v))
		if v == 0 {
			zeros++
		}
	}
	many := 0.7213 / (1 + 1.079/m) * m * m / sum
	if many <= 2.5*m && zeros > 0 {
		return int(math.Round(m * math.Log(m/zeros)))
	}
	return int(math.Round(many))
}
