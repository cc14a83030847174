package abi

// Decision is what wedge_pick returns, an i64:
// bits 0-31 backend index, 32-39 verdict, 40-47 flags, 48-63 status of a reject.
type Decision uint64

// Verdict says what the host should do with a request.
type Verdict uint8

// The verdicts. Any other value is a fault of the strategy.
const (
	VerdictRoute   Verdict = 0 // to the backend of the decision
	VerdictAbstain Verdict = 1 // the fallback decides
	VerdictReject  Verdict = 2 // with the status of the decision
	VerdictRespond Verdict = 3 // with what was given to the import respond
)

// Flags refine a decision.
type Flags uint8

// FlagPin asks the host to issue or refresh the affinity token for the backend that answers.
const FlagPin Flags = 1

// Where the fields of a decision start, in bits.
const (
	VerdictShift = 32
	FlagsShift   = 40
	StatusShift  = 48
)

// DefaultRejectStatus is the status of a reject that names none (0).
const DefaultRejectStatus = 503

// NewDecision packs a decision. Fields that the verdict does not use should be 0.
func NewDecision(v Verdict, backend uint32, f Flags, status uint16) Decision {
	return Decision(backend) | Decision(v)<<VerdictShift | Decision(f)<<FlagsShift |
		Decision(status)<<StatusShift
}

// Backend is the index of the chosen row of the backend table.
func (d Decision) Backend() uint32 { return uint32(d) }

// Verdict is what to do; it may be a value that this version does not define.
func (d Decision) Verdict() Verdict { return Verdict(d >> VerdictShift) }

// Flags are the refinements; unknown bits may be set.
func (d Decision) Flags() Flags { return Flags(d >> FlagsShift) }

// Pin reports whether the host should issue or refresh the affinity token.
func (d Decision) Pin() bool { return d.Flags()&FlagPin != 0 }

// Status is the HTTP status of a reject, 0 meaning DefaultRejectStatus.
func (d Decision) Status() uint16 { return uint16(d >> StatusShift) }

// WithFlags returns d with the flags f added.
func (d Decision) WithFlags(f Flags) Decision { return d | Decision(f)<<FlagsShift }
