//go:build !linux

package edge

// boundUnsent does nothing on this system.
func boundUnsent(uintptr) error { return nil }
