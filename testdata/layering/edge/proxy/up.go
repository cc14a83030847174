// Package proxy is a fixture whose imports point up and over a fence.
package proxy

import (
	_ "github.com/tetratelabs/wazero"
	_ "github.com/wedge-lb/wedge/edge/listen"
	_ "github.com/wedge-lb/wedge/edge/route"
)
