package plugintest_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/plugin/plugintest"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

// The guest that ABI.md shows is the one that is tested; edge/plugin holds its binary to the text.
func TestThePublishedGuestConforms(t *testing.T) {
	shown, err := sdktest.Blocks("../../../sdk/ABI.md", "wat")
	require.NoError(t, err)
	text, err := os.ReadFile("../../../testdata/wasm/minimal.wat")
	require.NoError(t, err)
	require.Len(t, shown, 1)
	assert.Equal(t, string(text), shown[0])

	m := plugintest.Load(t, wat(t, "minimal"))
	sdktest.Conform(t, m.Subject, sdktest.Traits{Spread: 0.01, Even: true, Pins: sdktest.PinsHonoured})
}
