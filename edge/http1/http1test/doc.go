// Package http1test plays the attack cases of testdata/http1 against a proxy and judges what a strict
// recording origin behind it saw. It is for tests.
//
// The proxy under test must forward every request (Host: lb.test) to the listener that the Origin serves.
package http1test
