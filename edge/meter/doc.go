// Package meter makes a WebAssembly module from a stranger safe to hand to a compiler and to run: bytes in,
// bytes out. It starts nothing, keeps nothing and knows no engine.
//
// Rewrite reads a module as the WebAssembly Core Specification 2.0, "Binary Format", has it: every section,
// every instruction, SIMD included, by tables of their immediates. It refuses what it does not know, what is
// over a limit, every import that is not offered with that type, and names kept for the host. A Fault says
// where.
//
// What it lets through it meters. A counter, a mutable global after the module's own, is exported as Export;
// guest code has no index for it, since every index is held to the original module. Code pays units from it
// before or after each stretch that has no loop and no call, bulk operations pay by their length, and when
// it goes below zero the guest traps (unreachable). What is paid follows from the module and its inputs
// alone, so it is exact and repeatable. sdk/ABI.md has the prices.
//
//	types, imports, …, globals + counter, exports + counter, …, code + payments + helpers, data
//
// Functions, types and globals are only appended, so indices stay what they were but for one thing: calls
// and references of imported functions that cost something go to helpers that pay and then call.
package meter
