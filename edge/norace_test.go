//go:build !race

package edge_test

// raced tells whether the race detector is on.
const raced = false
