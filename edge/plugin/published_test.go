package plugin_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/plugin"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// published gives the functions of a table of ABI.md: names and types.
func published(t *testing.T, first string) (list []abi.Func) {
	t.Helper()
	page, err := os.ReadFile("../../sdk/ABI.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(page), "\n| "+first+" | type |")
	require.True(t, found)
	_, table, _ = strings.Cut(table, "\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if params, results, ok := strings.Cut(strings.Trim(cells[2], " `"), " -> "); ok {
			list = append(list, abi.Func{
				Name: strings.Trim(cells[1], " `"), Params: numbers(params), Results: numbers(results),
			})
		}
	}
	require.NotEmpty(t, list)
	return list
}

// numbers reads a list of types, like (i32, i64).
func numbers(text string) (list []abi.ValueType) {
	for name := range strings.SplitSeq(strings.Trim(text, "()"), ", ") {
		switch name {
		case "i32":
			list = append(list, abi.I32)
		case "i64":
			list = append(list, abi.I64)
		}
	}
	return list
}

// A module made from the published tables alone, with every import and export, is loaded and serves; with any
// one of the types changed it is refused by the name of the function.
func TestThePublishedTypesAreThoseOfTheHost(t *testing.T) {
	h := newHost(t, plugin.Options{})
	imports, exports := published(t, "import"), published(t, "export")
	a := assembly{imports: imports, exports: exports}
	g := bind(t, load(t, h, a.module()), plugin.Binding{Set: newPool(2).Set()})
	require.NoError(t, g.SelfTest(t.Context(), 10))
	assert.True(t, g.Observes())

	for _, list := range [][]abi.Func{imports, exports} {
		for i := range list {
			right := list[i]
			list[i].Params = append(slices.Clone(right.Params), abi.I64)
			_, err := h.Load(context.Background(), "test", a.module(), plugin.Limits{})
			assert.ErrorContains(t, err, right.Name)
			list[i] = right
		}
	}
}

// Every kind of fault that a guest can be at is told of, by its name, and nothing else is.
func TestThePublishedFaultsAreThoseOfTheHost(t *testing.T) {
	page, err := os.ReadFile("../../sdk/ABI.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(page), "\n| what | fault |")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	var told, want []string
	for _, line := range strings.Split(table, "\n")[2:] {
		told = append(told, strings.Trim(strings.Split(line, "|")[2], " `"))
	}
	for k := range plugin.Kind(plugin.Kinds) {
		if k != plugin.HostPanic {
			want = append(want, k.String())
		}
	}
	assert.Equal(t, want, told)
}
