package main

import (
	"testing"

	"github.com/wedge-lb/wedge/sdk/sdktest"
)

func TestItConforms(t *testing.T) {
	for name, traits := range map[string]sdktest.Traits{
		"maglev": {
			Options: `{"key":["client_ip"],"algorithm":"maglev"}`, Spread: 0.05, Sticky: true, Moves: 0.05,
		},
		"ring": {Options: `{"key":["client_ip"],"algorithm":"ring"}`, Spread: 0.25, Sticky: true},
		"rendezvous": {
			Options: `{"key":["client_ip"],"algorithm":"rendezvous"}`, Spread: 0.05, Sticky: true,
		},
		"bounded": {Options: `{"key":["client_ip"],"algorithm":"ring","bounded_load":1.25}`},
	} {
		t.Run(name, func(t *testing.T) {
			sdktest.Conform(t, func(testing.TB) sdktest.Subject { return sdktest.NewHost(&hashing{}) }, traits)
		})
	}
}
