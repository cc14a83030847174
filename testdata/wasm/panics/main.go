// Command panics is a strategy that fails as Go programs do: by the path of the request.
package main

import (
	"errors"
	"os"
	"time"

	"github.com/wedge-lb/wedge/sdk"
)

func init() { sdk.Register(&panics{}) }

func main() {}

type panics struct{ path sdk.Attribute }

// Configure declares the path.
func (p *panics) Configure(c *sdk.Config) error {
	p.path = c.Need(sdk.Path())
	return nil
}

// Backends takes any table.
func (p *panics) Backends(sdk.Backends) error { return nil }

// Pick does what the path says.
func (p *panics) Pick(r *sdk.Request) sdk.Decision {
	path, _ := r.Bytes(p.path)
	switch string(path) {
	case "/panic":
		panic(errors.New("this is the text of the panic"))
	case "/nil":
		var none *panics
		none.path = p.path
	case "/index":
		return sdk.Route(int(path[len(path)]))
	case "/exit":
		os.Exit(7)
	case "/block":
		<-make(chan int)
	case "/sleep":
		time.Sleep(time.Millisecond)
	case "/allocate":
		var kept [][]byte
		for range 1 << 10 {
			kept = append(kept, make([]byte, 1<<20))
		}
		return sdk.Route(len(kept))
	}
	return sdk.Route(0)
}
