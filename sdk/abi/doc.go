// Package abi holds the facts of the wedge strategy ABI, version 1, as Go constants.
//
// A strategy is a WebAssembly module that chooses a backend for each request. Host and guest
// meet in one region of the guest's memory, the frame: the host writes what the guest should
// know into it, calls an export, and reads one integer back. This package says how the frames
// are laid out, which functions cross the border with which types, and which numbers mean what.
// Both sides import it; it imports the standard library only.
//
// Everything is little endian. All offsets inside a frame count from the frame's start.
// The published form for authors in other languages is ABI.md beside package sdk.
package abi
