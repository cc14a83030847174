package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sample(t *testing.T, name string) string {
	text, err := os.ReadFile(filepath.Join("testdata", "h2load", name))
	require.NoError(t, err)
	return string(text)
}

func TestASummaryOfH2loadIsRead(t *testing.T) {
	s, err := parseH2load(sample(t, "good.txt"))
	require.NoError(t, err)
	assert.Equal(t, h2loadSum{started: 18930, done: 18926, succeeded: 18926, ok: 18926}, s)
	assert.NoError(t, s.check(4))
}

func TestAnswersThatWereNotReadToTheirEndAreNoErrors(t *testing.T) {
	s, err := parseH2load(sample(t, "cut.txt"))
	require.NoError(t, err)
	assert.Greater(t, s.ok, s.done)
	assert.NoError(t, s.check(16))
}

func TestALoadWithErrorsIsRefused(t *testing.T) {
	s, err := parseH2load(sample(t, "refused.txt"))
	require.NoError(t, err)
	assert.ErrorContains(t, s.check(4), "18840 requests failed")
	good := h2loadSum{started: 104, done: 100, succeeded: 100, ok: 100}
	for name, tt := range map[string]struct {
		spoil func(*h2loadSum)
		says  string
	}{
		"nothing was answered":             {func(s *h2loadSum) { *s = h2loadSum{} }, "no request"},
		"a request timed out":              {func(s *h2loadSum) { s.timeout = 1 }, "1 timed out"},
		"a stream was reset":               {func(s *h2loadSum) { s.errored = 1 }, "1 errored"},
		"an answer was a redirect":         {func(s *h2loadSum) { s.redirected = 1 }, "1 3xx"},
		"an answer was an error":           {func(s *h2loadSum) { s.broken = 2 }, "2 5xx"},
		"an answer had no status":          {func(s *h2loadSum) { s.ok = 99 }, "only 99"},
		"more are missing than can be out": {func(s *h2loadSum) { s.started = 105 }, "5 requests got no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			require.NoError(t, s.check(4))
			tt.spoil(&s)
			assert.ErrorContains(t, s.check(4), tt.says)
		})
	}
}

func TestOutputWithoutASummaryIsRefused(t *testing.T) {
	_, err := parseH2load("starting benchmark...\nspawning thread #0")
	assert.ErrorContains(t, err, "no summary: starting")
}

func FuzzH2load(f *testing.F) {
	f.Add("requests: 4 total, 3 started, 2 done, 1 succeeded, 0 failed, 0 errored, 0 timeout\n" +
		"status codes: 1 2xx, 0 3xx, 0 4xx, 0 5xx\n")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := parseH2load(text); err == nil {
			assert.GreaterOrEqual(t, s.done, 0)
		}
	})
}

func TestTheLogGivesTimesAfterTheLead(t *testing.T) {
	const log = "1000500\t200\t70\n1000000\t200\t900\n1001000\t200\t50\n1002000\t200\t60\n"
	taken, err := parseH2loadLog(strings.NewReader(log), time.Millisecond)
	require.NoError(t, err)
	assert.Equal(t, []time.Duration{50 * time.Microsecond, 60 * time.Microsecond}, taken)
	_, err = parseH2loadLog(strings.NewReader("1000500\t200\n"), 0)
	assert.ErrorContains(t, err, "line")
}

func TestACommandOfH2loadSaysWhatTheScenarioDoes(t *testing.T) {
	to := target{site: site{port: 20001, secure: true}, dir: t.TempDir(), length: 1500 * time.Millisecond}
	to.cookie = "wedge-bench=abc"
	l, err := h2load{clients: 16, streams: 4}.command(to)
	require.NoError(t, err)
	text := strings.Join(l.args, " ")
	assert.Contains(t, text, "h2load -c 16 -m 4 -D 1500ms")
	assert.Contains(t, text, "--connect-to=127.0.0.1:20001")
	assert.Contains(t, text, "-H cookie: wedge-bench=abc")
	assert.Equal(t, "https://localhost:20001/", l.args[len(l.args)-1])
	assert.NotContains(t, text, "--h1")

	l, err = h2load{clients: 1, h1: true, post: 100}.command(to)
	require.NoError(t, err)
	body, err := os.ReadFile(filepath.Join(to.dir, h2loadBody))
	require.NoError(t, err)
	assert.Len(t, body, 100)
	assert.Subset(t, l.args, []string{"--h1", "-d"})
}
