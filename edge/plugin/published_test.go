package plugin_test

import (
	"context"
	"encoding/binary"
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

func vector(items ...[]byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(items))), slices.Concat(items...)...)
}

func sized(b []byte) []byte { return append(binary.AppendUvarint(nil, uint64(len(b))), b...) }

func section(id byte, items ...[]byte) []byte { return append([]byte{id}, sized(vector(items...))...) }

func types(list []abi.ValueType) []byte {
	b := binary.AppendUvarint(nil, uint64(len(list)))
	for _, v := range list {
		b = append(b, byte(v))
	}
	return b
}

// assemble makes a module with those imports, and exports that give 0; type n is that of function n.
func assemble(imports, exports []abi.Func) []byte {
	var kinds, asked, defined, shown, code [][]byte
	for n, f := range slices.Concat(imports, exports) {
		kinds = append(kinds, slices.Concat([]byte{0x60}, types(f.Params), types(f.Results)))
		index := binary.AppendUvarint(nil, uint64(n))
		if n < len(imports) {
			asked = append(asked, slices.Concat(sized([]byte(abi.Module)), sized([]byte(f.Name)), []byte{0}, index))
			continue
		}
		body := []byte{0} // no locals
		for _, v := range f.Results {
			body = append(body, map[abi.ValueType]byte{abi.I32: 0x41, abi.I64: 0x42}[v], 0)
		}
		defined = append(defined, index)
		shown = append(shown, slices.Concat(sized([]byte(f.Name)), []byte{0}, index))
		code = append(code, sized(append(body, 0x0b)))
	}
	shown = append(shown, slices.Concat(sized([]byte(abi.ExportMemory)), []byte{2, 0}))
	return slices.Concat([]byte("\x00asm\x01\x00\x00\x00"), section(1, kinds...), section(2, asked...),
		section(3, defined...), section(5, []byte{0, 1}), section(7, shown...), section(10, code...))
}

// A module made from the published tables alone, with every import and export, is loaded and serves; with any
// one of the types changed it is refused by the name of the function.
func TestThePublishedTypesAreThoseOfTheHost(t *testing.T) {
	h := newHost(t, plugin.Options{})
	imports, exports := published(t, "import"), published(t, "export")
	g := bind(t, load(t, h, assemble(imports, exports)), plugin.Binding{Set: newPool(2).Set()})
	require.NoError(t, g.SelfTest(t.Context(), 10))
	assert.True(t, g.Observes())

	for _, list := range [][]abi.Func{imports, exports} {
		for i := range list {
			right := list[i]
			list[i].Params = append(slices.Clone(right.Params), abi.I64)
			_, err := h.Load(context.Background(), "test", assemble(imports, exports), plugin.Limits{})
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
