package http2_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/http2"
)

// until counts how often do can be called before it has an error.
func until(most int, do func() *http2.Error) int {
	for i := range most {
		if err := do(); err != nil {
			return i
		}
	}
	return most
}

func TestPrematureResetsHaveABudget(t *testing.T) {
	now := time.Unix(1000, 0)
	var all, half, fewer, late http2.Budget
	reset := func(b *http2.Budget, opened int, life time.Duration) func() *http2.Error {
		return func() *http2.Error {
			for range opened {
				b.Opened()
			}
			return b.Reset(now, life)
		}
	}
	assert.Equal(t, 499, until(5000, reset(&all, 1, time.Millisecond)))
	assert.Equal(t, 249, until(5000, reset(&half, 2, time.Millisecond)))
	assert.Equal(t, 999, until(5000, reset(&fewer, 3, time.Millisecond)), "1000 of any kind")
	assert.Equal(t, 999, until(5000, reset(&late, 1, 2*time.Second)), "1000 of any kind")
	var slow http2.Budget
	assert.Equal(t, 5000, until(5000, func() *http2.Error {
		now = now.Add(100 * time.Millisecond)
		return reset(&slow, 3, time.Millisecond)()
	}), "an impatient browser")
}

func TestUselessFramesHaveABudget(t *testing.T) {
	now := time.Unix(1000, 0)
	var flood, paired, slow http2.Budget
	assert.Equal(t, 2000, until(10_000, func() *http2.Error { return flood.Useless(now) }))
	assert.Equal(t, 10_000, until(10_000, func() *http2.Error {
		paired.Useful()
		return paired.Useless(now)
	}))
	assert.Equal(t, 10_000, until(10_000, func() *http2.Error {
		now = now.Add(10 * time.Millisecond)
		return slow.Useless(now)
	}))
}

func TestWindowsDoNotOverflow(t *testing.T) {
	w := http2.Window(http2.DefaultWindow)
	assert.Nil(t, w.Grow(http2.MaxWindow-http2.DefaultWindow, 1))
	err := w.Grow(1, 1)
	require.NotNil(t, err)
	assert.True(t, err.Stream)
	err = w.Grow(1, 0)
	require.NotNil(t, err)
	assert.False(t, err.Stream)
	assert.Nil(t, w.Grow(-http2.MaxWindow, 1))
	assert.Nil(t, w.Grow(-http2.MaxWindow, 1))
	assert.EqualValues(t, -http2.MaxWindow, w)
}

func TestCreditIsGivenBackByHalves(t *testing.T) {
	var c http2.Credit
	c.Start(100)
	assert.False(t, c.Take(101))
	assert.True(t, c.Take(100))
	assert.Zero(t, c.Return(49))
	assert.False(t, c.Take(1))
	assert.EqualValues(t, 50, c.Return(1))
	assert.True(t, c.Take(50))
	assert.False(t, c.Take(1))
}

func TestSettingsAreHeldToTheirRanges(t *testing.T) {
	setting := func(pairs ...uint32) (b []byte) {
		for i := 0; i < len(pairs); i += 2 {
			b = binary.BigEndian.AppendUint16(b, uint16(pairs[i]))
			b = binary.BigEndian.AppendUint32(b, pairs[i+1])
		}
		return b
	}
	for name, tt := range map[string]struct {
		payload []byte
		code    http2.Code
		windows []int32
	}{
		"none":               {nil, http2.NoError, nil},
		"all":                {setting(1, 0, 2, 0, 3, 1, 4, 7, 5, 1<<24-1, 6, 5, 8, 1, 9, 1), http2.NoError, []int32{7}},
		"two windows":        {setting(4, 0, 4, http2.MaxWindow), http2.NoError, []int32{0, http2.MaxWindow}},
		"unknown":            {setting(99, 1<<32-1), http2.NoError, nil},
		"push of 2":          {setting(2, 2), http2.ProtocolError, nil},
		"a huge window":      {setting(4, http2.MaxWindow+1), http2.FlowControlError, nil},
		"a small frame size": {setting(5, 16<<10-1), http2.ProtocolError, nil},
		"a large frame size": {setting(5, 1<<24), http2.ProtocolError, nil},
	} {
		var windows []int32
		err := http2.ReadSettings(tt.payload, func(v int32) *http2.Error {
			windows = append(windows, v)
			return nil
		})
		code := http2.NoError
		if err != nil {
			code = err.Code
		}
		assert.Equal(t, tt.code, code, name)
		assert.Equal(t, tt.windows, windows, name)
	}
}
