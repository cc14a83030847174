package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// h2load is a load by nghttp2's tool.
type h2load struct {
	clients int    // each with a connection
	streams int    // at once on a connection; 0 = 1
	h1      bool   // HTTP/1.1 instead of HTTP/2
	post    int    // bytes of a request's body; 0 = GET
	path    string // "" = /
}

const (
	h2loadLog  = "h2load.log"
	h2loadBody = "h2load.body"
)

func (h h2load) command(t target) (launch, error) {
	log := filepath.Join(t.dir, h2loadLog)
	if err := removeAll(log); err != nil {
		return launch{}, err
	}
	args := []string{
		"h2load", "-c", strconv.Itoa(h.clients), "-m", strconv.Itoa(max(h.streams, 1)),
		"-D", fmt.Sprintf("%dms", t.length.Milliseconds()), "--log-file=" + log, "--connect-to=" + t.address(),
	}
	if h.h1 {
		args = append(args, "--h1")
	}
	for _, f := range ordinaryHeaders {
		args = append(args, "-H", f[0]+": "+f[1])
	}
	if t.cookie != "" {
		args = append(args, "-H", "cookie: "+t.cookie)
	}
	if h.post > 0 {
		body := filepath.Join(t.dir, h2loadBody)
		if err := os.WriteFile(body, bytes.Repeat([]byte("b"), h.post), 0o600); err != nil {
			return launch{}, fmt.Errorf("h2load: %w", err)
		}
		args = append(args, "-d", body)
	}
	return launch{args: append(args, t.url(h.path))}, nil
}

func (h h2load) connections() int { return h.clients }

func (h h2load) result(t target, output string) (loadResult, error) {
	sum, err := parseH2load(output)
	if err != nil {
		return loadResult{}, err
	}
	if err := sum.check(h.clients * max(h.streams, 1)); err != nil {
		return loadResult{Done: sum.done}, err
	}
	file, err := os.Open(filepath.Join(t.dir, h2loadLog))
	if err != nil {
		return loadResult{}, fmt.Errorf("h2load: %w", err)
	}
	defer file.Close()
	taken, err := parseH2loadLog(file, t.lead)
	if err != nil {
		return loadResult{}, err
	}
	return loadResult{sum.done, percentile(taken, 50), percentile(taken, 99)}, removeAll(file.Name())
}

// h2loadSum is what h2load counted.
type h2loadSum struct {
	started, done, succeeded, failed, errored, timeout int

	ok, redirected, refused, broken int // heads with a status of 2xx to 5xx; the rest of some was not read
}

var (
	h2loadRequests = regexp.MustCompile(`(?m)^requests: \d+ total, (\d+) started, (\d+) done, ` +
		`(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout$`)
	h2loadStatus = regexp.MustCompile(`(?m)^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx$`)
)

// parseH2load reads the summary that h2load prints.
func parseH2load(output string) (h2loadSum, error) {
	requests, status := h2loadRequests.FindStringSubmatch(output), h2loadStatus.FindStringSubmatch(output)
	if requests == nil || status == nil {
		return h2loadSum{}, fmt.Errorf("h2load: no summary: %s", output)
	}
	var s h2loadSum
	var err error
	numbers := []*int{&s.started, &s.done, &s.succeeded, &s.failed, &s.errored, &s.timeout,
		&s.ok, &s.redirected, &s.refused, &s.broken}
	texts := append(requests[1:], status[1:]...)
	for i, n := range numbers {
		if *n, err = strconv.Atoi(texts[i]); err != nil {
			return s, fmt.Errorf("h2load: %w", err)
		}
	}
	return s, nil
}

// check refuses a load in which anything went wrong. Requests in flight at its end are no errors: as many as
// open.
func (s h2loadSum) check(open int) error {
	switch {
	case s.done == 0:
		return fmt.Errorf("h2load: no request was answered")
	case s.failed > 0 || s.errored > 0 || s.timeout > 0 || s.succeeded != s.done:
		return fmt.Errorf("h2load: %d requests failed, %d errored, %d timed out", s.failed, s.errored, s.timeout)
	case s.redirected+s.refused+s.broken > 0 || s.ok < s.done:
		return fmt.Errorf("h2load: of %d answers only %d were 2xx, %d 3xx, %d 4xx, %d 5xx",
			s.done, s.ok, s.redirected, s.refused, s.broken)
	case s.started-s.done > open:
		return fmt.Errorf("h2load: %d requests got no answer, %d at most can be in flight", s.started-s.done, open)
	}
	return nil
}

// parseH2loadLog reads how long each request took: "start µs TAB status TAB taken µs". Those of the lead do
// not count.
func parseH2loadLog(r io.Reader, lead time.Duration) ([]time.Duration, error) {
	var all [][2]int64
	for scan := bufio.NewScanner(r); ; {
		if !scan.Scan() {
			if err := scan.Err(); err != nil {
				return nil, fmt.Errorf("h2load log: %w", err)
			}
			return afterLead(all, lead), nil
		}
		start, rest, _ := strings.Cut(scan.Text(), "\t")
		_, taken, _ := strings.Cut(rest, "\t")
		at, err1 := strconv.ParseInt(start, 10, 64)
		took, err2 := strconv.ParseInt(taken, 10, 64)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("h2load log: line %q", scan.Text())
		}
		all = append(all, [2]int64{at, took})
	}
}

func afterLead(all [][2]int64, lead time.Duration) []time.Duration {
	if len(all) == 0 {
		return nil
	}
	first := slices.MinFunc(all, func(a, b [2]int64) int { return int(a[0] - b[0]) })[0]
	var taken []time.Duration
	for _, line := range all {
		if line[0]-first >= lead.Microseconds() {
			taken = append(taken, time.Duration(line[1])*time.Microsecond)
		}
	}
	return taken
}
