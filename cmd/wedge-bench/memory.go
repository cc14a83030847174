package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"
)

const (
	idleConnections = 5000
	warmConnections = 300
)

// restTime is how many times calm a contender may take to come to rest.
const restTime = 3

// memory measures what n idle TLS connections cost a contender that was just started, once it is at rest: each
// has had one request.
func (a *arena) memory(ctx context.Context, r *running, n int) (figures, error) {
	if err := enoughFiles(uint64(n) + 2000); err != nil {
		return figures{}, err
	}
	if _, err := a.crowd(ctx, r, warmConnections, a.calm/6); err != nil {
		return figures{}, fmt.Errorf("warm-up: %w", err)
	}
	before, err := atRest(ctx, r, a.calm/3)
	if err != nil {
		return figures{}, err
	}
	with, err := a.crowd(ctx, r, n, a.calm)
	if err != nil {
		return figures{}, err
	}
	return figures{Memory: float64(with-before) / 1024 / float64(n)}, nil
}

// atRest gives the contender's memory once it has not fallen for calm: a burst is followed by giving back what it
// took, at the contender's own time.
func atRest(ctx context.Context, r *running, calm time.Duration) (int64, error) {
	least, err := groupMemory(r.group())
	began := time.Now()
	for since := began; err == nil && time.Since(since) < calm; {
		if time.Since(began) > restTime*calm {
			return 0, fmt.Errorf("%s: memory still falls after %s", r.contender.name, time.Since(began).Round(time.Second))
		}
		if err = pause(ctx, calm/50); err != nil {
			break
		}
		var now int64
		if now, err = groupMemory(r.group()); now < least-least/100 {
			least, since = now, time.Now()
		}
	}
	if err != nil {
		return 0, err
	}
	return groupMemory(r.group())
}

// crowd lets a subcommand open n connections, and tells the contender's memory at rest while they are open.
func (a *arena) crowd(ctx context.Context, r *running, n int, calm time.Duration) (int64, error) {
	input, keep, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer input.Close()
	p, err := startProcess(launch{
		args: []string{a.program, "idle", "-connections", strconv.Itoa(n), r.site.address()},
		env:  oneProcessor(), input: input,
	}, a.opt.loadCPU)
	if err != nil {
		return 0, errors.Join(err, keep.Close())
	}
	defer p.stop()
	defer keep.Close() // before, so that it ends by itself
	if err := poll(ctx, startTime, func() error { return said(p, 1) }); err != nil {
		return 0, err
	}
	used, err := atRest(ctx, r, calm)
	if err != nil {
		return 0, err
	}
	keep.Close()
	if err := p.end(ctx); err != nil {
		return 0, err
	}
	return used, errors.Join(said(p, 2), r.ended())
}

// said tells whether a subcommand has printed its nth tally, and what is wrong with those that it has.
func said(p *process, nth int) error {
	d := json.NewDecoder(p.out.reader())
	for i := range nth {
		var t tally
		if err := d.Decode(&t); errors.Is(err, io.EOF) {
			return errors.Join(fmt.Errorf("%s: %d of %d tallies", p.name, i, nth), p.ended())
		} else if err != nil {
			return fmt.Errorf("%w: %s: %w", errEnded, p.name, err)
		}
		if t.Error != "" {
			return fmt.Errorf("%w: %d of %d connections: %s", errEnded, t.Errors, t.Errors+t.Done, t.Error)
		}
	}
	return nil
}

// enoughFiles lets this process and those that it starts open n files, if the system allows it.
func enoughFiles(n uint64) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("open files: %w", err)
	}
	if l.Max < n {
		return fmt.Errorf("%d open files are allowed, %d are needed: raise ulimit -Hn", l.Max, n)
	}
	l.Cur = l.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
}
