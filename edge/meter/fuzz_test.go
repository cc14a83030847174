package meter_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"

	"github.com/wedge-lb/wedge/edge/meter"
)

// FuzzRewrite holds that nothing makes the reader fall over, and that what is let through an engine takes,
// metered, just if it takes the original.
func FuzzRewrite(f *testing.F) {
	for _, wasm := range files(f, "*") {
		f.Add(wasm)
	}
	f.Add(function(0, 0x41, 0, 0x0e, 2, 0, 0, 0, 0x0b))
	vector := join(0x41, 0, 0xfd, 0x00, 4, 0, 0xfd, 0x0c, make([]byte, 16), 0xfd, 0xae, 0x01, 0x1a)
	f.Add(function(1, 2, 0x7b, vector, 0x0b))
	f.Add(function(0, 0x02, 0x40, 0x03, 0x40, 0x41, 1, 0x04, 0x40, 0x0c, 1, 0x05, 0x0c, 2, 0x0b, 0x0b, 0x0b,
		0x0b))
	o := meter.Options{Linked: true, Limits: meter.Limits{Memory: 16, Module: 1 << 16}}
	c := wazero.NewRuntimeConfigInterpreter()
	f.Fuzz(func(t *testing.T, wasm []byte) {
		metered, err := meter.Rewrite(wasm, o)
		if err != nil {
			var fault *meter.Fault
			require.True(t, errors.As(err, &fault))
			require.NotContains(t, err.Error(), "\n")
			return
		}
		r := newRuntime(t, c, 1<<16)
		_, want := r.CompileModule(context.Background(), wasm)
		_, got := r.CompileModule(context.Background(), metered)
		assert.Equal(t, want == nil, got == nil, "%v, metered %v", want, got)

		again, err := meter.Rewrite(wasm, o)
		require.NoError(t, err)
		assert.Equal(t, metered, again, "the same each time")
		_, err = meter.Rewrite(metered, o)
		assert.ErrorContains(t, err, "the name is kept for the host")
	})
}
