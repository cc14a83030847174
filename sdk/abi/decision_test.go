package abi_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wedge-lb/wedge/sdk/abi"
)

func TestDecisionKeepsItsFields(t *testing.T) {
	d := abi.NewDecision(abi.VerdictReject, 0xfffffffe, abi.FlagPin, 451)
	assert.Equal(t, uint32(0xfffffffe), d.Backend())
	assert.Equal(t, abi.VerdictReject, d.Verdict())
	assert.True(t, d.Pin())
	assert.Equal(t, uint16(451), d.Status())
	assert.Equal(t, abi.Decision(451<<48|1<<40|2<<32|0xfffffffe), d)
}

func TestWithFlagsAddsOnly(t *testing.T) {
	d := abi.NewDecision(abi.VerdictRoute, 7, 0, 0)
	assert.False(t, d.Pin())
	assert.Equal(t, abi.NewDecision(abi.VerdictRoute, 7, abi.FlagPin, 0), d.WithFlags(abi.FlagPin))
}

func TestNamesOfUnknownValues(t *testing.T) {
	assert.Equal(t, "kind(?)", abi.Kind(0).String())
	assert.Equal(t, "kind(?)", abi.Kind(14).String())
	assert.Equal(t, "state(?)", abi.State(4).String())
	assert.Equal(t, "?", abi.ValueType(0).String())
	assert.False(t, abi.Form(2).Valid())
}

func TestLabelsEndWithZero(t *testing.T) {
	got := abi.AppendLabel(abi.AppendLabel(nil, "a", "b"), "c", "")
	assert.Equal(t, "a\x00b\x00c\x00\x00", string(got))
}
