package main

import (
	"testing"

	"github.com/wedge-lb/wedge/sdk/sdktest"
)

func TestItConforms(t *testing.T) {
	for name, traits := range map[string]sdktest.Traits{
		"round_robin":   {Options: `{"algorithm":"round_robin"}`, Spread: 0.01, Pins: sdktest.PinsIgnored},
		"random":        {Options: `{"algorithm":"random"}`, Spread: 0.01, Pins: sdktest.PinsIgnored},
		"p2c":           {Options: `{"algorithm":"p2c"}`},
		"least_load":    {Options: `{"algorithm":"least_load"}`},
		"least_latency": {Options: `{"algorithm":"least_latency"}`},

		"least_utilization": {Options: `{"algorithm":"least_utilization"}`},
	} {
		t.Run(name, func(t *testing.T) {
			sdktest.Conform(t, func(testing.TB) sdktest.Subject { return sdktest.NewHost(&stateless{}) }, traits)
		})
	}
}
