package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// A target is what a load is for.
type target struct {
	site
	dir     string // for files of the load
	cookie  string // to be sent with each request, or ""
	length  time.Duration
	lead    time.Duration // at the start, that does not count in percentiles
	program string        // this program, whose subcommands are loads too
}

func (t target) url(path string) string {
	scheme := map[bool]string{true: "https", false: "http"}[t.secure]
	if path == "" {
		path = "/"
	}
	return fmt.Sprintf("%s://%s:%d%s", scheme, host, t.port, path)
}

// A load sends requests for a while.
type load interface {
	// command is what runs it; files that it names are in t.dir.
	command(t target) (launch, error)
	// result reads what it wrote to standard output and to its files. The error is what went wrong.
	result(t target, output string) (loadResult, error)
	// connections is how many it keeps open all the time; 0 = it tells itself if one breaks.
	connections() int
}

// loadResult is what clients saw.
type loadResult struct {
	Done int           `json:"done"`
	P50  time.Duration `json:"p50_ns"`
	P99  time.Duration `json:"p99_ns"`
}

// ordinaryHeaders are what a browser sends, ten fields beside the host.
var ordinaryHeaders = [][2]string{
	{"user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
	{"accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
	{"accept-language", "en-GB,en;q=0.7,de;q=0.3"},
	{"accept-encoding", "gzip, deflate, br, zstd"},
	{"referer", "https://localhost/catalogue/tools?page=2"},
	{"cache-control", "no-cache"},
	{"sec-fetch-dest", "document"},
	{"sec-fetch-mode", "navigate"},
	{"sec-fetch-site", "same-origin"},
	{"x-request-start", "1767225600000"},
}

// goLoad is a load by a subcommand of this program.
type goLoad struct{ name string }

func (g goLoad) command(t target) (launch, error) {
	return launch{
		args: []string{t.program, g.name, "-for", t.length.String(), "-lead", t.lead.String(), t.address()},
		env:  oneProcessor(),
	}, nil
}

func (goLoad) connections() int { return 0 }

func (g goLoad) result(_ target, output string) (loadResult, error) {
	var said tally
	if err := json.Unmarshal([]byte(output), &said); err != nil {
		return loadResult{}, fmt.Errorf("%s: %w: %s", g.name, err, output)
	}
	if said.Error != "" {
		return said.loadResult, fmt.Errorf("%s: %d errors, the first: %s", g.name, said.Errors, said.Error)
	}
	return said.loadResult, nil
}

// removeAll removes what a load left.
func removeAll(paths ...string) error {
	var errs []error
	for _, p := range paths {
		errs = append(errs, os.RemoveAll(p))
	}
	return errors.Join(errs...)
}
