// Package health finds out which backends can serve, and tells their pool. It does so in two ways that never
// undo each other: active probes (Probe) set a backend up or down, and what requests meet (Passive) ejects it
// for a time.
//
// A Checker lives as long as the process. A reload hands it the new settings by Apply; what is the same by
// pool and backend id goes on with its counts, so a reload never makes a backend up or down. A backend that
// was never probed is up. The last backend that is open to new requests is never ejected.
package health
