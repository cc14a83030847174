package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	backendCount = 3
	smallBytes   = 1 << 10 // of an ordinary answer
	largeBytes   = 1 << 20
	largePath    = "/large"
)

// backends are three addresses of one nginx that answers 1 KiB to anything, and a file of 1 MiB to largePath.
type backends struct {
	*process
	addresses []string
	counter   string // URL of its own statistics
	client    *http.Client
	asked     uint64 // how often
}

// startBackends starts them on a processor. A small answer is never read from a file.
func startBackends(ctx context.Context, nginx, dir string, cpu int) (*backends, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("backends: %w", err)
	}
	b := &backends{client: &http.Client{Timeout: 5 * time.Second}}
	conf, err := b.conf(dir)
	if err != nil {
		return nil, err
	}
	l, err := nginxLaunch(nginx, dir, conf)
	if err != nil {
		return nil, err
	}
	large := strings.Repeat("0123456789abcde\n", largeBytes/16)
	if err := os.WriteFile(filepath.Join(dir, largePath), []byte(large), 0o600); err != nil {
		return nil, fmt.Errorf("backends: %w", err)
	}
	if b.process, err = startProcess(l, cpu); err != nil {
		return nil, err
	}
	if err := b.ready(ctx); err != nil {
		b.stop()
		return nil, fmt.Errorf("backends: %w", err)
	}
	return b, nil
}

// conf chooses the ports.
func (b *backends) conf(dir string) (string, error) {
	var c strings.Builder
	c.WriteString(nginxHead(dir) + "  open_file_cache max=10 inactive=1h;\n  server {\n")
	for range backendCount {
		port, err := freePort()
		if err != nil {
			return "", err
		}
		b.addresses = append(b.addresses, fmt.Sprintf("127.0.0.1:%d", port))
		fmt.Fprintf(&c, "    listen 127.0.0.1:%d backlog=4096;\n", port)
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	b.counter = fmt.Sprintf("http://127.0.0.1:%d/", port)
	fmt.Fprintf(&c, `    location / { return 200 "%s"; }
    location %s { root %s; }
  }
  server {
    listen 127.0.0.1:%d;
    location / { stub_status; }
  }
}
`, strings.Repeat("x", smallBytes), largePath, dir, port)
	return c.String(), nil
}

func (b *backends) ready(ctx context.Context) error {
	return poll(ctx, 5*time.Second, func() error {
		if err := b.ended(); err != nil {
			return err
		}
		_, err := b.requests(ctx)
		return err
	})
}

// requests is how many requests the backends were sent up to now, questions like this one apart. It is not
// safe for concurrent use.
func (b *backends) requests(ctx context.Context) (uint64, error) {
	text, err := get(ctx, b.client, b.counter)
	if err != nil {
		return 0, err
	}
	b.asked++
	all, err := parseStubStatus(text)
	return all - b.asked, err
}

// parseStubStatus reads the number of requests from the page of nginx's stub_status.
func parseStubStatus(text string) (uint64, error) {
	_, rest, ok := strings.Cut(text, "server accepts handled requests\n")
	numbers := strings.Fields(rest)
	if !ok || len(numbers) < 3 {
		return 0, fmt.Errorf("stub_status %q: no requests", text)
	}
	return strconv.ParseUint(numbers[2], 10, 64)
}

// get fetches a page of at most 1 MiB.
func get(ctx context.Context, c *http.Client, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(url + ": " + answer.Status)
	}
	return string(text), err
}

// poll calls ask until it succeeds, fails for good (errEnded), or time is over.
func poll(ctx context.Context, patience time.Duration, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := ask()
		if err == nil || errors.Is(err, errEnded) {
			return err
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("not ready after %s: %w", patience, err)
		}
	}
}

// pause waits for d, or less if ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
