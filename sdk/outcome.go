package sdk

import (
	"time"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// Outcome is how a request ended.
type Outcome struct {
	Backend int // index in the current table
	Status  int // of the response; 0 if there was no response head
	Attempt int // as in the request that was picked
	Flags   abi.OutcomeFlag
	Head    time.Duration // to the response head
	Total   time.Duration // to the end of the response
}

// Failed reports whether the backend could not be reached, was too slow, or broke off.
func (o Outcome) Failed() bool { return o.Flags != 0 }

func decodeOutcome(frame []byte) Outcome {
	return Outcome{
		Backend: int(le32(frame, abi.OutcomeBackend)),
		Status:  int(le32(frame, abi.OutcomeStatus)),
		Attempt: int(le32(frame, abi.OutcomeAttempt)),
		Flags:   abi.OutcomeFlag(le32(frame, abi.OutcomeFlags)),
		Head:    time.Duration(le64(frame, abi.OutcomeHead)),
		Total:   time.Duration(le64(frame, abi.OutcomeTotal)),
	}
}
