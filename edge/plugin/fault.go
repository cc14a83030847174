package plugin

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/sys"
)

// ErrBusy is when no instance was free in time, or none is left until Maintain has run.
var ErrBusy = errors.New("no instance free")

// ErrClosed is when the guests have been closed, as those of an old generation are.
var ErrClosed = errors.New("guests closed")

// A Kind classes a Fault, for metrics.
type Kind uint8

const (
	Trap       Kind = iota // unreachable, out of bounds, division by zero, stack overflow, a panic in Go, …
	Exit                   // proc_exit
	BadPointer             // bytes outside of the guest's memory
	BadCall                // a host call out of place or with an argument that has no meaning
	BadPick                // a row that the table does not have, or that may not be used
	BadAnswer              // a decision that has no meaning
	Refused                // configure or backends said no
	Memory                 // it ended with all the memory that it may have
	Fuel                   // more work than a call may do
	HostPanic              // a bug of the host, met during a guest call
	kinds
)

// Kinds is how many kinds there are.
const Kinds = int(kinds)

var kindNames = [Kinds]string{
	"trap", "exit", "bad_pointer", "bad_call", "bad_pick", "bad_answer", "refused", "memory", "fuel", "host_panic",
}

func (k Kind) String() string { return kindNames[k] }

// A Fault is what a guest did wrong. Text is of one line, bounded and without control characters; it is for
// operators, never for clients.
type Fault struct {
	Kind Kind
	Step string // configure, backends, pick, …
	Text string

	Stack string   // of the guest where it ended, a function a line, the innermost first; "" = not known
	Log   []string // the last lines that guests of the module wrote before, the newest last
}

func (f *Fault) Error() string {
	if f.Text == "" {
		return fmt.Sprintf("%s: %s", f.Step, f.Kind)
	}
	return fmt.Sprintf("%s: %s: %s", f.Step, f.Kind, f.Text)
}

// fatal tells whether the instance may have been left in the middle of something.
func (f *Fault) fatal() bool { return f.Kind != BadPick && f.Kind != BadAnswer }

// maxText is the length of a guest's text in an error, in bytes.
const maxText = 1 << 10

// faultOf classes the error of a guest call. said is what the guest began to write to its standard error.
func faultOf(step string, err error, said string) *Fault {
	var (
		fault *Fault
		exit  *sys.ExitError
		bug   runtime.Error
	)
	switch {
	case errors.As(err, &fault):
		return &Fault{Kind: fault.Kind, Step: step, Text: fault.Text}
	case errors.As(err, &exit):
		return newFault(Exit, step, said, fmt.Sprintf("exit code %d", exit.ExitCode()))
	case errors.As(err, &bug):
		return newFault(HostPanic, step, said, bug.Error())
	}
	text, _, _ := strings.Cut(err.Error(), stackBegins)
	return newFault(Trap, step, said, text)
}

// stackBegins is where wazero's text goes over to the guest's stack.
const stackBegins = "\nwasm stack trace:\n"

// What is kept of a guest's stack.
const (
	maxFrames = 16
	maxFrame  = 160 // bytes
)

// stackOf is the guest's stack that the error of its call has.
func stackOf(err error) string {
	_, stack, _ := strings.Cut(err.Error(), stackBegins)
	var lines []string
	for line := range strings.Lines(stack) {
		if line = printable([]byte(line), maxFrame); line != "" && len(lines) < maxFrames {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// newFault puts what the guest said before what the host saw: a Go guest explains its panic, then it traps.
func newFault(k Kind, step, said, text string) *Fault {
	if said != "" {
		text = said + ": " + text
	}
	return &Fault{Kind: k, Step: step, Text: printable([]byte(text), maxText)}
}

// printable is at most limit bytes of b as one line of valid text: what is not printable becomes a space,
// and runs of spaces become one.
func printable(b []byte, limit int) string {
	var s strings.Builder
	space := true // leading spaces are dropped
	for len(b) > 0 && s.Len() < limit {
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) || r == ' ' {
			if !space {
				s.WriteByte(' ')
			}
			space = true
			continue
		}
		space = false
		s.WriteRune(r)
	}
	return strings.TrimRight(s.String(), " ")
}
