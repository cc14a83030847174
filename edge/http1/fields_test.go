package http1_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wedge-lb/wedge/edge/http1"
)

func TestNextGoesOverAllFieldsOfAName(t *testing.T) {
	var f http1.Fields
	for _, x := range [][2]string{{"cookie", "a"}, {"host", "h"}, {"Cookie", "b"}, {"COOKIE", ""}, {"x", "y"}} {
		f.Add([]byte(x[0]), []byte(x[1]))
	}
	var got []string
	for v, next := f.Next("cookie", 0); next > 0; v, next = f.Next("cookie", next) {
		got = append(got, string(v))
	}
	assert.Equal(t, []string{"a", "b", ""}, got)
	_, next := f.Next("none", 0)
	assert.Zero(t, next)
}
