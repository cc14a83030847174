package observe_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/observe"
)

func TestOnlyAValidTraceIsPassedOn(t *testing.T) {
	const id, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for value, want := range map[string]bool{
		"00-" + id + "-" + span + "-01":                      true,
		"00-" + id + "-" + span + "-00":                      true,
		"00-" + id + "-" + span + "-ff":                      true,
		"01-" + id + "-" + span + "-01":                      true,
		"cc-" + id + "-" + span + "-01-more":                 true,
		"cc-" + id + "-" + span + "-01more":                  false,
		"00-" + id + "-" + span + "-01-more":                 false,
		"00-" + id + "-" + span + "-01-":                     false,
		"00-" + id + "-" + span + "-0":                       false,
		"00-" + id + "-" + span + "-0g":                      false,
		"ff-" + id + "-" + span + "-01":                      false,
		"0-" + id + "-" + span + "-001":                      false,
		"00-" + strings.ToUpper(id) + "-" + span + "-01":     false,
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01": false,
		"00-" + id + "-" + strings.Repeat("0", 16) + "-01":   false,
		"00_" + id + "_" + span + "_01":                      false,
		"00-" + id[:31] + "-" + span + "0-01":                false,
		"":                                                   false,
	} {
		assert.Equal(t, want, observe.ValidTrace([]byte(value)), value)
	}
}

func TestANewTraceIsValidAndItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		v := observe.AppendTrace(nil)
		require.True(t, observe.ValidTrace(v), string(v))
		require.True(t, strings.HasSuffix(string(v), "-00"), "nothing is recorded: not sampled")
		id := string(observe.TraceID(v))
		require.Equal(t, string(v[3:35]), id)
		require.False(t, seen[id])
		seen[id] = true
	}
	assert.Nil(t, observe.TraceID([]byte("00-short")))
	assert.Nil(t, observe.TraceID(nil))
}

func TestRequestIDsAre16HexDigitsAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := string(observe.AppendRequestID([]byte("id:")))
		require.Regexp(t, "^id:[0-9a-f]{16}$", id)
		require.False(t, seen[id])
		seen[id] = true
	}
}

func TestIdentifiersDoNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 64)
	valid := observe.AppendTrace(nil)
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		observe.AppendTrace(buf)
		observe.AppendRequestID(buf)
		observe.ValidTrace(valid)
	}))
}

// FuzzTrace: what is valid has the parts that W3C Trace Context wants.
func FuzzTrace(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x")
	f.Fuzz(func(t *testing.T, v string) {
		if !observe.ValidTrace([]byte(v)) {
			return
		}
		parts := strings.SplitN(v, "-", 5)
		require.GreaterOrEqual(t, len(parts), 4)
		require.Regexp(t, "^[0-9a-f]{2}$", parts[0])
		require.Regexp(t, "^[0-9a-f]{32}$", parts[1])
		require.Regexp(t, "^[0-9a-f]{16}$", parts[2])
		require.Regexp(t, "^[0-9a-f]{2}$", parts[3])
		require.NotEqual(t, "ff", parts[0])
		require.Equal(t, parts[1], string(observe.TraceID([]byte(v))))
		if parts[0] == "00" {
			require.Len(t, parts, 4)
		}
	})
}

func BenchmarkIdentifiers(b *testing.B) {
	buf := make([]byte, 0, 64)
	for b.Loop() {
		observe.AppendRequestID(buf)
		observe.AppendTrace(buf)
	}
}
