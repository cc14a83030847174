// Package health finds out which backends can serve, and tells their pool. It does so in two ways that never
// undo each other: active probes (Probe) set a backend up or down, and what requests meet (Passive) ejects it
// for a time.
//
// A Checker lives as long as the process. A reload hands it the new settings by Apply; what is the same by
// pool, backend id and address goes on with its counts, so a reload never makes a backend up or down. State and
// Restore carry what is known over a restart. A backend that was never probed is up. The last backend that is
// open to new requests is never ejected.
//
// How the word of a Checker is taken (panic, slow start) is its pool's affair: balance.Tuning. A Checker has the
// time, and brings slow starts on.
package health
