// Package plugin is the host of WebAssembly strategies: it speaks version 1 of the ABI that sdk/abi states,
// and it is the only package that knows wazero.
//
//	Host ──Load──► Module ──Bind──► Guests ──Pick──► one instance, checked out for one call
//
// A Module is one checked and compiled plugin in a runtime of its own. Bind configures a bounded set of
// instances of it for one pool. A pick takes an instance from a free list without a lock, writes what the
// guest declared of the request into the guest's frame, calls it once and reads one integer back; the host
// allocates nothing for it.
//
// Everything a guest says is checked. A pointer outside of its memory, a trap, an exit or a misused host
// call is a Fault: the instance never serves again, Maintain puts another in its place off the request
// path, and the caller falls back. A guest never sees a client's context, a file, the environment or a
// socket.
package plugin
