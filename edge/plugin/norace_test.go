//go:build !race

package plugin_test

// childMemory is what a compiling child may use: the default.
const childMemory = 0
