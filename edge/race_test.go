//go:build race

package edge_test

// raced: the race detector multiplies what a compiling child needs, which then compiles nothing within its limits.
const raced = true
