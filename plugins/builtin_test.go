package plugins_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/plugins"
)

func TestEachFolderIsABuiltin(t *testing.T) {
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	var folders []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "dist" {
			folders = append(folders, e.Name())
		}
	}
	assert.Equal(t, plugins.Names(), folders)
	for _, name := range folders {
		for _, file := range []string{"main.go", "options.go", "pick.go", "pick_test.go", "README.md"} {
			assert.FileExists(t, name+"/"+file)
		}
	}
}

// A module is there if it was built before this test; otherwise the error says what to do.
func TestBuiltinGivesTheModuleOrSaysThatItIsMissing(t *testing.T) {
	for _, name := range plugins.Names() {
		module, err := plugins.Builtin(name)
		if _, missing := os.Stat("dist/" + name + ".wasm"); missing != nil {
			assert.ErrorIs(t, err, plugins.ErrNotBuilt)
			assert.ErrorContains(t, err, `"`+name+`"`)
			assert.ErrorContains(t, err, "run make build")
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, "\x00asm\x01\x00\x00\x00", string(module[:8]), name)
	}
}

func TestAnUnknownNameIsToldWithTheKnown(t *testing.T) {
	_, err := plugins.Builtin("../stateless")
	assert.ErrorIs(t, err, plugins.ErrUnknown)
	assert.EqualError(t, err, `plugin "../stateless": no such built-in strategy; `+
		"there are consistent-hash, cookie-sticky, ip-affinity, stateless")
}
