package main

import (
	"fmt"
	"testing"

	"github.com/wedge-lb/wedge/sdk/sdktest"
)

func TestItConforms(t *testing.T) {
	for name, traits := range map[string]sdktest.Traits{
		"token": {Pins: sdktest.PinsHonoured},
		"session": {
			Options: `{"source":"cookie:sid"}`, Spread: 0.05, Sticky: true, Moves: 0.05, Pins: sdktest.PinsIgnored,
			Client: func(n int) sdktest.Request {
				return sdktest.Request{Cookies: map[string]string{"sid": fmt.Sprint("s-", n)}}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			sdktest.Conform(t, func(testing.TB) sdktest.Subject { return sdktest.NewHost(&sticky{}) }, traits)
		})
	}
}
