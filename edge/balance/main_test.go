package balance_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wedge-lb/wedge/edge/balance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newPool makes a pool of backends b0, b1, ... with the weights.
func newPool(weights ...uint32) *balance.Pool {
	p := balance.NewPool("shop")
	specs := make([]balance.Spec, len(weights))
	for i, w := range weights {
		specs[i] = balance.Spec{ID: fmt.Sprintf("b%d", i), Address: "127.0.0.1:1", Scheme: "http", Weight: w}
	}
	p.Update(specs)
	return p
}

func newChooser() *balance.Chooser {
	return &balance.Chooser{Random: rand.New(rand.NewPCG(1, 2)).Uint64}
}

func condition(c balance.Condition) *balance.Condition { return &c }

// pickerFunc is a Picker, and counts its bad picks.
type pickerFunc struct {
	pick func(r *balance.Request, s *balance.Set, d *balance.Decision) error
	bad  int
}

func (p *pickerFunc) Pick(r *balance.Request, s *balance.Set, d *balance.Decision) error {
	return p.pick(r, s, d)
}

func (p *pickerFunc) BadPick() { p.bad++ }

// ejection is until when a backend is ejected, if it is.
func ejection(is bool) time.Time {
	if !is {
		return time.Time{}
	}
	return time.Now().Add(time.Hour)
}
