package plugin

import (
	"fmt"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// read turns what wedge_pick returned into d, in which the guest's host calls have written already. A fault
// leaves d as it was before the pick, but for a row that does not exist: that is a Route without a backend,
// which balance.Chooser takes for a bad pick.
func (i *instance) read(code abi.Decision, d *balance.Decision) *Fault {
	if code.Verdict() != abi.VerdictRespond { // an answer that was taken back
		d.Status, d.ContentType, d.Body = 0, nil, d.Body[:0]
	}
	switch code.Verdict() {
	case abi.VerdictRoute:
		d.Verdict, d.Pin = balance.Route, code.Pin()
		d.Backend = i.set.Row(code.Backend())
		if d.Backend != nil && !i.badSpare {
			return nil
		}
		d.Reset()
		return &Fault{Kind: BadPick, Step: stepPick, Text: i.badPickText(code.Backend())}
	case abi.VerdictAbstain:
		d.Reset()
		d.Verdict = balance.Abstain
		return nil
	case abi.VerdictReject:
		return i.reject(code, d)
	case abi.VerdictRespond:
		if i.responded {
			d.Verdict = balance.Respond
			return nil
		}
	}
	d.Reset()
	return badAnswer("verdict %d", code.Verdict())
}

func (i *instance) reject(code abi.Decision, d *balance.Decision) *Fault {
	status := int(code.Status())
	if status == 0 {
		status = abi.DefaultRejectStatus
	}
	if status < 400 || status > 599 {
		d.Reset()
		return badAnswer("reject with status %d", status)
	}
	d.Verdict, d.Status = balance.Reject, status
	return nil
}

func (i *instance) badPickText(row uint32) string {
	if i.badSpare {
		return fmt.Sprintf("a spare of %d rows", len(i.set.Backends))
	}
	return fmt.Sprintf("row %d of %d", row, len(i.set.Backends))
}

func badAnswer(format string, args ...any) *Fault {
	return &Fault{Kind: BadAnswer, Step: stepPick, Text: fmt.Sprintf(format, args...)}
}
