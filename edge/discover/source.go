package discover

import (
	"context"
	"time"
)

// A Source tells who the members of a pool are. Look is called by one goroutine at a time and returns soon
// after ctx has ended. An error means that nothing is known, no member at all included.
type Source interface {
	Look(ctx context.Context) (Finding, error)
}

// A Finding is what a look has found.
type Finding struct {
	Members []Member
	TTL     time.Duration // they need not be looked for again before; 0 = the source does not say
	Missed  error         // what there is beside them and could not be used; nil = nothing
}
