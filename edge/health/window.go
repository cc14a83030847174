package health

import (
	"sync/atomic"
	"time"
)

// A window counts results and failures of the recent past, in slots of time that are used in turn. Counting
// is one atomic addition, without a lock and without an allocation.
type window [slots]atomic.Uint64

const (
	slots = 10

	// A slot's word: which turn it counts, all results, and the failures among them.
	turnBits, countBits = 24, 20
	turnShift           = 2 * countBits
	turnMask            = 1<<turnBits - 1
	countMask           = 1<<countBits - 1
	oneResult           = 1 << countBits
	halfFull            = 1 << (countBits - 1)
)

// turn is the number of the slot of a time, if the window is that long.
func turn(at time.Time, length time.Duration) uint64 {
	return uint64(at.UnixNano()) / uint64(max(length/slots, 1)) & turnMask
}

// add counts a result of a turn. One that is later than a whole round is dropped.
func (w *window) add(turn, failures uint64) {
	slot := &w[turn%slots]
	for {
		word := slot.Load()
		total, bad := word>>countBits&countMask, word&countMask
		switch age := (turn - word>>turnShift) & turnMask; {
		case age == 0 && total < halfFull:
			slot.Add(oneResult + failures) // a racing new turn takes it along: it is one result too many
			return
		case age == 0:
			total, bad = total/2, bad/2 // the rate stays, and there is room again
		case total > 0 && age > turnMask-slots: // the slot has gone on to a later turn
			return
		default:
			total, bad = 0, 0
		}
		if slot.CompareAndSwap(word, turn<<turnShift|(total+1)<<countBits|bad+failures) {
			return
		}
	}
}

// sum is what was counted in the round that ends with a turn.
func (w *window) sum(turn uint64) (total, failures uint64) {
	for i := range w {
		word := w[i].Load()
		if (turn-word>>turnShift)&turnMask < slots {
			total += word >> countBits & countMask
			failures += word & countMask
		}
	}
	return total, failures
}

func (w *window) clear() {
	for i := range w {
		w[i].Store(0)
	}
}
