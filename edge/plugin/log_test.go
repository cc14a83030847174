package plugin_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
	"github.com/wedge-lb/wedge/edge/store"
)

func jsonLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func TestFloodsAreBounded(t *testing.T) {
	var log bytes.Buffer
	now := time.Unix(1_700_000_000, 0)
	kept := store.New(store.Options{Quota: 256 << 10})
	h := newHost(t, plugin.Options{
		Logger: jsonLogger(&log), Now: func() time.Time { return now }, Store: kept,
	})
	g := bind(t, load(t, h, wat(t, "floods")), plugin.Binding{
		Set: newPool(1).Set(), Instances: 1, Fuel: 1_000_000,
	})
	pick := func() {
		var d balance.Decision
		require.NoError(t, g.Pick(request(), nil, &d))
	}
	pick()
	assert.Equal(t, 50, strings.Count(log.String(), "\n"), "a burst")
	log.Reset()
	now = now.Add(time.Second)
	pick()
	assert.Equal(t, 10, strings.Count(log.String(), "\n"), "and then so many a second")
	lines := bufio.NewScanner(&log)
	require.True(t, lines.Scan())
	var line struct {
		Level, Msg, Strategy, Source, Text string
		Dropped                            int
	}
	require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
	assert.Equal(t, "guest says", line.Msg)
	assert.Equal(t, "test", line.Strategy)
	assert.Equal(t, "ERROR", line.Level, "a level that does not exist is the highest")
	assert.Equal(t, "log", line.Source)
	assert.Equal(t, "a line with [31mcontrol bytes and more", line.Text)
	assert.Equal(t, 1008-50, line.Dropped)
	require.True(t, lines.Scan())
	require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
	assert.Equal(t, "to standard error [0m", line.Text)
	_, bytes := kept.Namespace("test").Usage()
	assert.LessOrEqual(t, bytes, 256<<10)
}
