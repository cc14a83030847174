package balance

import (
	"fmt"
	"time"
)

// A Kind is how an attempt at a backend failed.
type Kind uint8

const (
	Answered       Kind = iota // it did not: a head arrived
	ConnectFailed              // refused, unreachable, no TLS, or no answer to the dial in time
	TimedOut                   // no head in time
	Reset                      // the connection ended early
	BadAnswer                  // the bytes were not an answer we accept
	ClientGone                 // the client left; nothing is said of the backend
	Busy                       // no connection was free in time
	Severed                    // an operator had the connection ended; nothing is said of the backend
	BadRequestBody             // the client's body was malformed or too slow; nothing is said of the backend
)

var kindNames = [...]string{"", "connect", "timeout", "reset", "protocol", "client_gone", "busy", "severed",
	"request_body"}

func (k Kind) String() string { return kindNames[k] }

// A Failure is why a backend gave no answer. Sent is false only if no byte of the request was written, so
// that any request may be tried elsewhere.
type Failure struct {
	Kind Kind
	Sent bool
	Err  error
}

func (f *Failure) Error() string { return fmt.Sprintf("backend: %s: %v", f.Kind, f.Err) }
func (f *Failure) Unwrap() error { return f.Err }

// A Result is how one attempt at a backend went.
type Result struct {
	Backend *Backend
	Status  int // of the answer, 0 = none
	Kind    Kind
	Attempt uint32        // from 0
	Head    time.Duration // until the response head; 0 = none came
	Total   time.Duration // until the attempt ended
	Ended   time.Time     // when it did; zero = now
}
