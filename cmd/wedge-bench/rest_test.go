package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	shrinkBytes = 64 << 20
	shrinkSteps = 16
	shrinkEvery = 150 * time.Millisecond
)

// shrink is a process that gives its memory back bit by bit, and then waits to be ended.
func shrink(ctx context.Context) error {
	memory, err := syscall.Mmap(-1, 0, shrinkBytes, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return err
	}
	for i := 0; i < len(memory); i += 4 << 10 {
		memory[i] = 1
	}
	const step = shrinkBytes / shrinkSteps
	for i := 0; i < len(memory); i += step {
		if err := pause(ctx, shrinkEvery); err != nil {
			return err
		}
		if err := syscall.Madvise(memory[i:i+step], syscall.MADV_DONTNEED); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// Memory that is still given back is not looked at: the burst before would count as the connections'.
func TestMemoryIsReadAtRest(t *testing.T) {
	used, err := atRest(t.Context(), shrinking(t), 1500*time.Millisecond)
	require.NoError(t, err)
	assert.Less(t, used, int64(shrinkBytes)/2)
}

func TestMemoryThatDoesNotComeToRestIsRefused(t *testing.T) {
	_, err := atRest(t.Context(), shrinking(t), 2*shrinkEvery)
	assert.ErrorContains(t, err, "shrink: memory still falls after 1s")
}

// shrinking starts shrink and waits until it holds what it will give back.
func shrinking(t *testing.T) *running {
	p, err := startProcess(launch{args: []string{os.Args[0], "shrink"}}, min(1, runtime.NumCPU()-1))
	require.NoError(t, err)
	t.Cleanup(func() { p.stop() })
	r := &running{process: p, contender: contender{name: "shrink"}}
	require.NoError(t, poll(t.Context(), startTime, func() error {
		held, err := groupMemory(r.group())
		if err == nil && held >= shrinkBytes*3/4 {
			return nil
		}
		return fmt.Errorf("%d bytes: %w", held, errors.Join(err, p.ended()))
	}))
	return r
}
