package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"io"
	"os"
	"sync"
)

// idleClients is how many connections are made at a time.
const idleClients = 32

// idleCommand opens connections, sends one request over each, says so, and keeps them open until its input
// ends. Then it sends another over each: none may have been closed meanwhile.
func idleCommand(ctx context.Context, args []string) error {
	var n int
	f := flag.NewFlagSet("wedge-bench idle", flag.ContinueOnError)
	f.IntVar(&n, "connections", 5000, "to keep open")
	if err := f.Parse(args); err != nil {
		return usageError{err}
	}
	if f.NArg() != 1 {
		return usageError{errors.New("idle: want one host:port")}
	}
	client := h1Client{address: f.Arg(0), tls: clientTLS(nil, "http/1.1")}
	c := &crowd{client: client, conns: make([]*tls.Conn, n)}
	defer c.close()
	if err := c.each(ctx, c.open).print(os.Stdout); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until whoever started this has looked
	return c.each(ctx, c.again).print(os.Stdout)
}

// A crowd is many connections.
type crowd struct {
	client h1Client
	conns  []*tls.Conn
}

// each calls do for each connection, some at a time, and counts.
func (c *crowd) each(ctx context.Context, do func(context.Context, int) error) tally {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var sum tally
	turns := make(chan int)
	for range idleClients {
		wg.Go(func() {
			for i := range turns {
				err := do(ctx, i)
				mu.Lock()
				if err == nil {
					sum.Done++
				} else if sum.Errors++; sum.Error == "" {
					sum.Error = err.Error()
				}
				mu.Unlock()
			}
		})
	}
	for i := range c.conns {
		turns <- i
	}
	close(turns)
	wg.Wait()
	return sum
}

func (c *crowd) open(ctx context.Context, i int) error {
	conn, err := c.client.dial(ctx)
	if err != nil {
		return err
	}
	c.conns[i] = conn
	return ask(conn)
}

func (c *crowd) again(_ context.Context, i int) error {
	if c.conns[i] == nil {
		return errors.New("not open")
	}
	return ask(c.conns[i])
}

func (c *crowd) close() {
	for _, conn := range c.conns {
		if conn != nil {
			conn.Close()
		}
	}
}
