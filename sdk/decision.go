package sdk

import "github.com/wedge-lb/wedge/sdk/abi"

// Decision is what a Pick returns. The zero value routes to backend 0.
type Decision struct {
	code abi.Decision
}

// Route sends the request to the backend with this index. A negative index abstains.
func Route(backend int) Decision {
	if backend < 0 {
		return Abstain()
	}
	return Decision{abi.Decision(uint32(backend))}
}

// Abstain leaves the request to the host's fallback.
func Abstain() Decision { return Decision{abi.Decision(abi.VerdictAbstain) << abi.VerdictShift} }

// Reject refuses the request with an HTTP status; 0 means 503.
func Reject(status int) Decision {
	return Decision{abi.NewDecision(abi.VerdictReject, 0, 0, uint16(status))}
}

// Pin asks the host to tie the client to the backend that answers. It changes routes only.
func (d Decision) Pin() Decision {
	if d.code.Verdict() == abi.VerdictRoute {
		d.code = d.code.WithFlags(abi.FlagPin)
	}
	return d
}

// Code is the decision as it crosses to the host.
func (d Decision) Code() abi.Decision { return d.code }

// Backend is the index of the chosen backend; ok is false unless the decision is a route.
func (d Decision) Backend() (index int, ok bool) {
	if d.code.Verdict() != abi.VerdictRoute {
		return -1, false
	}
	return int(d.code.Backend()), true
}
