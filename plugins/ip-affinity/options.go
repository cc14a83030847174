package main

import "github.com/wedge-lb/wedge/sdk"

// options are what an operator may set.
type options struct {
	PrefixV4  int    `json:"prefix_v4"` // bits of an IPv4 address that count; default 32
	PrefixV6  int    `json:"prefix_v6"` // bits of an IPv6 address that count; default 64
	Algorithm string `json:"algorithm"` // one of sdk.PlacerNames; default maglev
}

func defaults() options { return options{PrefixV4: 32, PrefixV6: 64, Algorithm: "maglev"} }

func (o options) check() error {
	if err := sdk.Between("prefix_v4", o.PrefixV4, 1, 32); err != nil {
		return err
	}
	return sdk.Between("prefix_v6", o.PrefixV6, 1, 128)
}
