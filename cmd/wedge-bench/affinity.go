package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

const maxCPU = 1023

// pinSelf moves every thread of this process to a processor. Threads and processes that it starts later
// follow.
func pinSelf(cpu int) error {
	set := cpuSet(cpu)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("processor %d: %w", cpu, err)
	}
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			return fmt.Errorf("processor %d: thread %q", cpu, t.Name())
		}
		if err := unix.SchedSetaffinity(tid, &set); err != nil && err != unix.ESRCH {
			return fmt.Errorf("processor %d: %w; choose others with -proxy-cpu and -load-cpu", cpu, err)
		}
	}
	return nil
}

// startPinned starts c on a processor: a process inherits it from the thread that forks.
func startPinned(c *exec.Cmd, cpu int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var own unix.CPUSet
	if err := unix.SchedGetaffinity(0, &own); err != nil {
		return fmt.Errorf("own processors: %w", err)
	}
	set := cpuSet(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("processor %d: %w; choose others with -proxy-cpu and -load-cpu", cpu, err)
	}
	err := c.Start()
	if back := unix.SchedSetaffinity(0, &own); back != nil && err == nil {
		return fmt.Errorf("own processors: %w", back)
	}
	return err
}

func cpuSet(cpu int) unix.CPUSet {
	var s unix.CPUSet
	s.Set(cpu)
	return s
}
