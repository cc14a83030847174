// Package sdk is for authors of wedge strategies in Go.
//
// A strategy is a value with three methods. Configure reads the options and declares which
// attributes of a request the strategy needs; Backends takes in the table of backends and is
// called again whenever it changed; Pick chooses a backend for one request. Register it in init
// and build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags="-s -w" -o my.wasm .
//
// Structures for common ways to choose come with the package: RoundRobin, Random, P2C, LeastLoad
// and LeastLatency need no key; Maglev, Ring and Rendezvous map a key to a backend, and Bounded
// limits how unevenly they may. All keep to the same rules: a backend that cannot take a request
// is never chosen, a backend that was tried already is passed over, and -1 means that there is
// none, which Route turns into Abstain.
//
// Several instances of a strategy run at once, each in its own memory, and each sees a part of
// the requests. One instance is never called twice at the same time. What all instances must
// share, or what must survive a swap, belongs in the host: Host.CounterAdd and Host.Store*.
//
// Pick should not allocate: package sdktest runs a strategy natively, under plain go test, and
// measures that too. A panic in Pick ends the instance; the host's fallback takes the request.
package sdk
