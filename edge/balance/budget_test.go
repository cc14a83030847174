package balance_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wedge-lb/wedge/edge/balance"
)

// retries is how many retries the budget gives at a moment.
func retries(p *balance.Pool, percent int, now time.Time) (n int) {
	for p.Retry(percent, now) {
		n++
	}
	return n
}

func begin(p *balance.Pool, n int) {
	for range n {
		b := p.Set().Row(0)
		b.Load().Begin()
		b.Load().End()
	}
}

func TestRetriesAreAShareOfTheRequests(t *testing.T) {
	p := newPool(1, 1)
	now := time.Now()
	assert.Equal(t, 10, retries(p, 20, now), "a quiet pool has ten a second")
	begin(p, 400)
	assert.Equal(t, 78, retries(p, 20, now), "a fifth of those that were no retries")
	assert.Zero(t, retries(p, 20, now))
	now = now.Add(time.Second)
	assert.Equal(t, 10, retries(p, 20, now), "nothing came meanwhile")
	begin(p, 100_000)
	assert.Equal(t, 100, retries(p, 20, now), "quiet times save up no more")
	assert.Equal(t, 10, retries(p, 1, now.Add(time.Second)))
	assert.Zero(t, retries(p, 0, now.Add(time.Hour)), "none at all")
}

func TestABudgetSurvivesBackendsThatLeave(t *testing.T) {
	p := newPool(1)
	now := time.Now()
	begin(p, 100)
	assert.Equal(t, 20, retries(p, 20, now))
	p.Update([]balance.Spec{{ID: "other"}})
	assert.Equal(t, 10, retries(p, 20, now.Add(time.Second)))
}
