package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A CompilerCommand starts a child that compiles one module and ends. The zero value is none: the Host then compiles
// by itself.
type CompilerCommand struct {
	Args   []string      // the program and its first arguments; it calls Compile with the one that is added
	Memory int64         // bytes that the child may use; default 256 MiB
	Time   time.Duration // that the child may take, and of processor time; default 10 s
}

// patience is how much longer a child may take than its time of the processor, which it is the last to get.
const patience = 6

func (c CompilerCommand) withDefaults() CompilerCommand {
	if c.Memory <= 0 {
		c.Memory = 256 << 20
	}
	if c.Time <= 0 {
		c.Time = 10 * time.Second
	}
	return c
}

// A compileError is why a child did not come to an answer, for whoever sent the module.
type compileError struct{ text string }

func (e *compileError) Error() string { return "compile: " + e.text }

// run lets a child compile a module into a directory, or try to if there is none. The error says which limit the
// child met.
func (c CompilerCommand) run(ctx context.Context, wasm []byte, l Limits, dir string) (compileAnswer, error) {
	seconds := max(int64(c.Time/time.Second), 1)
	arg, err := json.Marshal(compileJob{Dir: dir, Limits: l, Memory: c.Memory, CPU: seconds})
	if err != nil {
		return compileAnswer{}, err
	}
	limited, cancel := context.WithTimeout(ctx, patience*c.Time)
	defer cancel()
	args := append(append([]string{}, c.Args[1:]...), string(arg))
	cmd := exec.CommandContext(limited, c.Args[0], args...)
	var out, complaint bounded
	cmd.Env = []string{"GOMAXPROCS=1", "GOTRACEBACK=none"}
	cmd.WaitDelay = time.Second
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = os.TempDir(), bytes.NewReader(wasm), &out, &complaint
	if err := runLowly(cmd); err != nil {
		return compileAnswer{}, c.explain(ctx, limited, err, complaint.String())
	}
	var answer compileAnswer
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		return answer, &compileError{"the compiler's answer is none: " + printable(out.Bytes(), maxText)}
	}
	if answer.Refused != "" {
		return answer, refuse("%s", printable([]byte(answer.Refused), maxText))
	}
	return answer, nil
}

// explain tells why a child did not answer.
func (c CompilerCommand) explain(ctx, limited context.Context, err error, complaint string) error {
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("compile: %w", ctx.Err())
	case limited.Err() != nil:
		return &compileError{fmt.Sprintf("not done in %s, the limit of time", patience*c.Time)}
	case !errors.As(err, &exit):
		return fmt.Errorf("compile: the compiler does not start: %w", err)
	case strings.Contains(complaint, "out of memory"), strings.Contains(complaint, "cannot allocate memory"),
		strings.Contains(complaint, "failed to allocate"),
		strings.Contains(complaint, "SIGSEGV"): // the runtime's own answer where it has no room for a stack
		return &compileError{fmt.Sprintf("needs more than %d MiB, the limit of memory", c.Memory>>20)}
	case exit.UserTime()+exit.SystemTime() >= c.Time:
		return &compileError{fmt.Sprintf("needs more than %s of the processor, the limit of time", c.Time)}
	}
	line, _, _ := strings.Cut(complaint, "\n")
	return &compileError{fmt.Sprintf("the compiler ended with %s: %s", exit, printable([]byte(line), maxText))}
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ bytes.Buffer }

// Write never fails.
func (b *bounded) Write(p []byte) (int, error) {
	_, _ = b.Buffer.Write(p[:min(len(p), maxAnswer-b.Len())])
	return len(p), nil
}

// maxAnswer bounds what is read of a child, in bytes.
const maxAnswer = 64 << 10

// scratch makes a directory for one compilation.
func scratch(dir string) (string, error) { return os.MkdirTemp(dir, scratchPrefix+"*") }

const scratchPrefix = ".compiling-"

// compiledFile is the one file that a child left in its directory.
func compiledFile(dir string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("the compiler left %d files instead of one", len(found))
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}
