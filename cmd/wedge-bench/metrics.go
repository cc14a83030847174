package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// heapObjects is the metric of all heap objects that a Go program ever made.
const heapObjects = "go_memstats_mallocs_total"

// A scraper reads metrics from a unix socket.
type scraper struct{ client *http.Client }

func newScraper(socket string) *scraper {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	once := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	return &scraper{&http.Client{Transport: once, Timeout: 5 * time.Second}}
}

// value is what a metric without labels is now.
func (s *scraper) value(ctx context.Context, name string) (float64, error) {
	text, err := get(ctx, s.client, "http://localhost/metrics")
	if err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	return parseMetric(text, name)
}

// parseMetric finds a metric without labels in Prometheus' text format.
func parseMetric(text, name string) (float64, error) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			value, _, _ := strings.Cut(strings.TrimSpace(rest), " ") // a time stamp may follow
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("metrics: no %s", name)
}
