package affinity_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wedge-lb/wedge/edge/affinity"
)

func TestRecentEstimatesDistinctClients(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 10, 100, 1_000, 10_000, 300_000} {
		r := affinity.NewRecent(time.Minute)
		for range n {
			hash := random.Uint64()
			r.Add(hash, start)
			r.Add(hash, start.Add(time.Second))
		}
		allowed := max(float64(n)*0.15, 0.4) // three standard errors
		assert.InDelta(t, n, r.Estimate(start.Add(time.Minute)), allowed, n)
	}
}

func TestRecentForgetsWhoDidNotComeBack(t *testing.T) {
	const window = 10 * time.Minute
	for came := time.Duration(0); came < window; came += 77 * time.Second {
		r := affinity.NewRecent(window)
		r.Add(1<<40, start)
		at := start.Add(came)
		r.Add(7, at)
		assert.Positive(t, r.Estimate(at.Add(window-1)), "seen within the window, %s", came)
		assert.Zero(t, r.Estimate(at.Add(window*3/2)), "not seen for half as long again, %s", came)
	}
	r := affinity.NewRecent(window)
	r.Add(7, start)
	assert.Zero(t, r.Estimate(start.Add(1000*window)))
	r.SetWindow(time.Hour)
	r.Add(7, start.Add(1001*window))
	assert.Equal(t, 1, r.Estimate(start.Add(1002*window)))
	assert.Equal(t, 1, r.Estimate(start), "a clock that goes back does no harm")
}

func TestRecentLosesNobodyWhenTheSpansTurn(t *testing.T) {
	const workers, each = 8, 4_000
	r := affinity.NewRecent(time.Hour)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(w)))
			for i := range each { // an hour in all
				r.Add(random.Uint64(), start.Add(time.Hour*time.Duration(i)/each))
			}
		})
	}
	wg.Wait()
	assert.InEpsilon(t, workers*each, r.Estimate(start.Add(time.Hour)), 0.15)
}

func TestRecentDoesNotAllocate(t *testing.T) {
	r, hash := affinity.NewRecent(time.Hour), uint64(1)
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		hash = hash*6364136223846793005 + 1
		r.Add(hash, start)
	}))
}

func BenchmarkRecentAdd(b *testing.B) {
	r, hash := affinity.NewRecent(time.Hour), uint64(1)
	for b.Loop() {
		hash = hash*6364136223846793005 + 1
		r.Add(hash, start)
	}
}
