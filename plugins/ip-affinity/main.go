package main

import "github.com/wedge-lb/wedge/sdk"

func init() { sdk.Register(&affinity{}) }

func main() {}
