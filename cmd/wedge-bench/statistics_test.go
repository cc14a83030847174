package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMedians(t *testing.T) {
	assert.Zero(t, median(nil))
	assert.Equal(t, 2.0, median([]float64{9, 1, 2}))
	assert.Equal(t, 1.5, median([]float64{2, 9, 1, 0}))
}

func TestPercentiles(t *testing.T) {
	var hundred []int
	for i := range 100 {
		hundred = append(hundred, 100-i)
	}
	assert.Equal(t, 50, percentile(hundred, 50))
	assert.Equal(t, 99, percentile(hundred, 99))
	assert.Equal(t, 7, percentile([]int{7}, 99))
	assert.Equal(t, 7, percentile([]int{7}, 0))
	assert.Zero(t, percentile([]int{}, 50))
}
