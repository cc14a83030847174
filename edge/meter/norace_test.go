//go:build !race

package meter_test

// slower is how much longer things may take.
const slower = 1
