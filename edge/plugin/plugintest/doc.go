// Package plugintest runs a module in the edge's plugin host for tests: with sdktest.Conform, a guest in any
// language is held to what every strategy has to do.
//
//	m := plugintest.Load(t, wasm)
//	sdktest.Conform(t, m.Subject, sdktest.Traits{Options: `{"zone": "a"}`, Pins: sdktest.PinsHonoured})
package plugintest
