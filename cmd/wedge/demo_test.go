package main_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDemoShowsThreeProtocolsAndTwoSwapsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	out := h.ok("demo", "--for", "3s")
	_, total, found := strings.Cut(out, "requests in all\n")
	require.True(t, found, out)
	assert.Regexp(t, `^ +protocol +demo-1 +demo-2 +demo-3 +requests +errors\n`, total)
	for _, p := range []string{"h1", "h2", "h3"} {
		assert.Regexp(t, `(?m)^ +`+p+`( +[1-9]\d*){4} +0$`, total)
	}
	assert.Equal(t, 2, strings.Count(out, "(swapped while traffic flows)"), out)
	assert.Contains(t, out, "wedge strategy swap demo --use")
	assertEmpty(t, h)
}

func TestDemoRunsUntilItIsInterrupted(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.start("demo")
	require.Eventually(t, func() bool { return strings.Contains(p.out.String(), "strategy: builtin/stateless") },
		patience, 5*time.Millisecond)
	p.signal(syscall.SIGINT)
	assert.Zero(t, p.exit(), p.err)
	assert.Contains(t, p.out.String(), "requests in all")
	assertEmpty(t, h)
}

// assertEmpty holds that the command left nothing in h.
func assertEmpty(t *testing.T, h *home) {
	t.Helper()
	assertTmpEmpty(t, h)
	all, err := os.ReadDir(h.dir)
	require.NoError(t, err)
	assert.Len(t, all, 1, "tmp alone")
}

func assertTmpEmpty(t *testing.T, h *home) {
	t.Helper()
	left, err := os.ReadDir(h.path("tmp"))
	require.NoError(t, err)
	assert.Empty(t, left)
}
