package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// tally is what a subcommand that is a load prints.
type tally struct {
	loadResult
	Errors int    `json:"errors"`
	Error  string `json:"error,omitempty"` // the first
}

func (t tally) print(w io.Writer) error { return json.NewEncoder(w).Encode(t) }

// loadFlags are the arguments of such a subcommand.
type loadFlags struct {
	length, lead time.Duration
	address      string
}

func parseLoad(name string, args []string) (loadFlags, error) {
	var l loadFlags
	f := flag.NewFlagSet("wedge-bench "+name, flag.ContinueOnError)
	f.DurationVar(&l.length, "for", time.Second, "time to send requests for")
	f.DurationVar(&l.lead, "lead", 0, "at the start, that does not count in percentiles")
	if err := f.Parse(args); err != nil {
		return l, usageError{err}
	}
	l.address = f.Arg(0)
	if _, _, err := net.SplitHostPort(l.address); err != nil || f.NArg() != 1 {
		return l, usageError{fmt.Errorf("%s: want one host:port", name)}
	}
	return l, nil
}

// drive calls each of do again and again, on goroutines of their own, until the load is over. One that fails
// is not called again: its round does not count anyway.
func drive(ctx context.Context, l loadFlags, do []func(context.Context) error) tally {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var sum tally
	var taken []time.Duration
	counts, end := time.Now().Add(l.lead), time.Now().Add(l.length)
	for _, one := range do {
		wg.Go(func() {
			own, done, err := repeat(ctx, counts, end, one)
			mu.Lock()
			defer mu.Unlock()
			taken = append(taken, own...)
			sum.Done += done
			if err != nil {
				sum.Errors++
				if sum.Error == "" {
					sum.Error = err.Error()
				}
			}
		})
	}
	wg.Wait()
	sum.P50, sum.P99 = percentile(taken, 50), percentile(taken, 99)
	return sum
}

func repeat(ctx context.Context, counts, end time.Time, do func(context.Context) error) (
	taken []time.Duration, done int, err error) {
	for start := time.Now(); start.Before(end); {
		if err := do(ctx); err != nil {
			return taken, done, err
		}
		now := time.Now()
		if done++; !start.Before(counts) {
			taken = append(taken, now.Sub(start))
		}
		start = now
	}
	return taken, done, nil
}
