//go:build !wasip1

package observe

import "github.com/wedge-lb/wedge/sdk"

// Register does nothing outside of a module: a native test makes its own guest.
func Register(sdk.Observer) {}
