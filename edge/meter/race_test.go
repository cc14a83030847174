//go:build race

package meter_test

// slower is how much longer things may take: the detector of races looks at every step of the engine.
const slower = 20
