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
	begin(p, 1000)
	assert.Equal(t, 190, retries(p, 20, now), "a fifth of 1000, less those taken")
	now = now.Add(time.Second)
	assert.Equal(t, 200, retries(p, 20, now), "the second before counts")
	now = now.Add(time.Second)
	assert.Equal(t, 10, retries(p, 20, now))
	begin(p, 1000)
	now = now.Add(time.Hour)
	assert.Equal(t, 10, retries(p, 20, now), "what is long ago does not")
	assert.Equal(t, 10, retries(p, 0, now.Add(time.Second)))
}

func TestABudgetSurvivesBackendsThatLeave(t *testing.T) {
	p := newPool(1)
	now := time.Now()
	begin(p, 1000)
	assert.Equal(t, 10, retries(p, 20, now))
	p.Update([]balance.Spec{{ID: "other"}})
	assert.Equal(t, 10, retries(p, 20, now.Add(time.Second)))
}
