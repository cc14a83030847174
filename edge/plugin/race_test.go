//go:build race

package plugin_test

// childMemory is what a compiling child may use under the race detector, which multiplies it, in bytes.
const childMemory = 8 << 30
