package main

import (
	"cmp"
	"slices"
)

// percentile is the smallest of l that p percent of l do not exceed; 0 of nothing. It sorts l.
func percentile[T cmp.Ordered](l []T, p int) T {
	var zero T
	if len(l) == 0 {
		return zero
	}
	slices.Sort(l)
	return l[max(0, (len(l)*p+99)/100-1)]
}

// median is the middle of l, or the mean of the two in the middle; 0 of nothing.
func median(l []float64) float64 {
	if len(l) == 0 {
		return 0
	}
	l = slices.Sorted(slices.Values(l))
	n := len(l)
	return (l[(n-1)/2] + l[n/2]) / 2
}
