// Package strategy gives a plugin a name and a life: it is loaded, checked, tested and put into service
// while requests flow, it is replaced by another generation without any of them noticing, its tables follow
// the pools, its broken instances are replaced, and it is set aside for a while if it keeps failing.
//
// Requests hold a Handle, one for each pool, which outlives all generations: it is one atomic pointer to
// the guests that serve now. Prepare builds a Candidate beside them, Commit swaps the pointers. What a
// candidate has in common with the running generation (compiled code, guests of a pool that stays) it
// shares with it.
//
// The package starts no goroutine: Run is one, which its caller starts and joins.
package strategy
