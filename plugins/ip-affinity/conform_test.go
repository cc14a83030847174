package main

import (
	"testing"

	"github.com/wedge-lb/wedge/sdk/sdktest"
)

func TestItConforms(t *testing.T) {
	for name, traits := range map[string]sdktest.Traits{
		"default":    {Spread: 0.25, Sticky: true, Moves: 0.05},
		"rendezvous": {Options: `{"algorithm":"rendezvous"}`, Spread: 0.05, Sticky: true},
	} {
		t.Run(name, func(t *testing.T) {
			sdktest.Conform(t, func(testing.TB) sdktest.Subject { return sdktest.NewHost(&affinity{}) }, traits)
		})
	}
}
