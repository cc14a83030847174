package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// launch is how to start a program.
type launch struct {
	args []string
	env  []string // beside this program's

	input *os.File // standard input; nil = nothing
}

// A process is a program that this one started, in a process group of its own.
type process struct {
	cmd  *exec.Cmd
	name string
	out  tail          // of standard output
	log  tail          // of standard error
	done chan struct{} // closed when it has ended
	err  error         // set before done
}

// startProcess starts a program on a processor.
func startProcess(l launch, cpu int) (*process, error) {
	p := &process{name: filepath.Base(l.args[0]), done: make(chan struct{})}
	p.cmd = exec.Command(l.args[0], l.args[1:]...)
	p.cmd.Env = append(os.Environ(), l.env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = time.Second
	if l.input != nil {
		p.cmd.Stdin = l.input
	}
	if err := startPinned(p.cmd, cpu); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	go p.wait()
	return p, nil
}

func (p *process) wait() {
	defer close(p.done)
	p.err = p.cmd.Wait()
}

// group is the process group, of which p is the leader.
func (p *process) group() int { return p.cmd.Process.Pid }

// ended is an error that says how the process ended, or nil while it runs.
func (p *process) ended() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s: %w (%v): %s", p.name, errEnded, p.err, p.log.String())
	default:
		return nil
	}
}

var errEnded = errors.New("ended too early")

// stop asks the process to end and, after a while, ends what is left of its group.
func (p *process) stop() {
	const patience = 4 * time.Second
	select {
	case <-p.done:
	default:
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended meanwhile
	}
	select {
	case <-p.done:
	case <-time.After(patience):
	}
	_ = syscall.Kill(-p.group(), syscall.SIGKILL) // nobody may be left
	<-p.done
}

// tail keeps the last part of what a process writes. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - tailBytes; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

// reader reads what was written up to now.
func (t *tail) reader() io.Reader {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.NewReader(bytes.Clone(t.text))
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(bytes.TrimSpace(t.text)), "?")
}
