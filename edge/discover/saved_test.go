package discover_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/discover"
)

func TestAListSurvivesBeingKept(t *testing.T) {
	list := members("a b")
	list[0].Zone, list[0].Labels, list[0].Weight = "z", map[string]string{"k": "v"}, 7
	data, err := discover.Encode("dns api.test:80", list)
	require.NoError(t, err)
	got, err := discover.Decode(data, "dns api.test:80")
	require.NoError(t, err)
	assert.Equal(t, list, got)
	_, err = discover.Decode(data, "dns other.test:80")
	assert.ErrorIs(t, err, discover.ErrOtherSource)
}

func TestAListThatNobodyKeptIsRefused(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `{"source":"s","members":{}}`,
		`{"source":"s","members":[{"id":"","scheme":"http","address":"a:1","weight":1}]}`,
		`{"source":"s","members":[{"id":"a","scheme":"ftp","address":"a:1","weight":1}]}`,
		`{"source":"s","members":[{"id":"a","scheme":"http","address":"a","weight":1}]}`,
		`{"source":"s","members":[{"id":"a","scheme":"http","address":"a:0","weight":1}]}`,
		`{"source":"s","members":[{"id":"a","scheme":"http","address":"a:1","weight":0}]}`,
		`{"source":"s","members":[{"id":"a","scheme":"http","address":"a:1","weight":5000}]}`,
	} {
		_, err := discover.Decode([]byte(text), "s")
		assert.Error(t, err, text)
	}
}
