package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk/sdktest"
)

func TestTheExamplesOfTheReadmeAreTaken(t *testing.T) {
	examples, err := sdktest.Blocks("README.md", "json")
	require.NoError(t, err)
	require.NotEmpty(t, examples)
	for _, options := range examples {
		assert.NoError(t, sdktest.NewHost(&affinity{}).Configure(options), options)
	}
}
