package plugin

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxOutput bounds what a child can write into one file, in bytes.
const maxOutput = 256 << 20

// boundProcess holds this process to the job. The limit of memory is that of writable private memory: a limit of
// address space would count what Go's runtime reserves and never uses.
func boundProcess(j compileJob) error {
	set := func(resource int, limit uint64) error {
		return unix.Setrlimit(resource, &unix.Rlimit{Cur: limit, Max: limit})
	}
	errs := []error{set(unix.RLIMIT_CORE, 0), set(unix.RLIMIT_FSIZE, maxOutput)}
	if j.Memory > 0 {
		errs = append(errs, set(unix.RLIMIT_DATA, uint64(j.Memory)))
	}
	if j.CPU > 0 {
		errs = append(errs, set(unix.RLIMIT_CPU, uint64(j.CPU)))
	}
	return errors.Join(append(errs, closeInherited())...)
}

// canExecute tells whether this process may make code and run it; where it may not, guests are interpreted.
func canExecute() bool {
	page, err := unix.Mmap(-1, 0, 1, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return false
	}
	err = unix.Mprotect(page, unix.PROT_READ|unix.PROT_EXEC)
	return errors.Join(err, unix.Munmap(page)) == nil
}

// closeInherited closes what this process was left by whoever started its parent. What the runtime opened for itself
// stays.
func closeInherited() error {
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		to, gone := os.Readlink(filepath.Join(dir, e.Name()))
		fd, odd := strconv.Atoi(e.Name())
		if gone != nil || odd != nil || fd <= 2 || strings.HasPrefix(to, "anon_inode:") ||
			strings.HasPrefix(to, "/sys/") || strings.HasPrefix(to, "/proc/") {
			continue
		}
		err = errors.Join(err, unix.Close(fd))
	}
	return err
}

// runLowly runs a command in a process group of its own, at the lowest priority, and ends the group when the
// command's context does or this process does.
func runLowly(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	done := make(chan error)
	go runOnThread(cmd, done)
	return <-done
}

// runOnThread runs a command on a thread of its own. A child has the priority of the thread that starts it, and dies
// with it. Nothing else is to run on this thread, which cannot have its priority back: it ends with the goroutine, for
// it is not unlocked. The main thread cannot end, and is kept until another was found.
func runOnThread(cmd *exec.Cmd, done chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		defer runtime.UnlockOSThread()
		another := make(chan error)
		go runOnThread(cmd, another)
		done <- <-another
		return
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, lowest); err != nil {
		done <- err
		return
	}
	done <- cmd.Run()
}

const lowest = 19
