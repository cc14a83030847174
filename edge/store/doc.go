// Package store keeps small values for strategies: bounded in bytes for each namespace, each value with a
// time to live, all instances of a strategy seeing the same. It survives a swap of the strategy, since it
// belongs to the process. It starts no goroutine: what has expired goes when it is met, or when room is
// needed.
package store
