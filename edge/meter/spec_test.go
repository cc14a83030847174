package meter_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wedge-lb/wedge/edge/meter"
)

// specDir has the suite of the WebAssembly specification, which travels in the engine's module.
func specDir(t testing.TB) string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	require.NoError(t, err)
	return filepath.Join(strings.TrimSpace(string(out)), "internal/integration_test/spectest")
}

// A spec is one file of the suite.
type spec struct {
	Commands []command `json:"commands"`
}

type command struct {
	Type       string  `json:"type"`
	Line       int     `json:"line"`
	Name       string  `json:"name"`
	As         string  `json:"as"`
	Filename   string  `json:"filename"`
	ModuleType string  `json:"module_type"`
	Text       string  `json:"text"`
	Expected   []value `json:"expected"`
	Action     struct {
		Type   string  `json:"type"`
		Field  string  `json:"field"`
		Module string  `json:"module"`
		Args   []value `json:"args"`
	} `json:"action"`
}

type value struct {
	Type     string `json:"type"`
	LaneType string `json:"lane_type"`
	Value    any    `json:"value"`
}

// bits are the value as the engine takes it.
func (v value) bits() []uint64 {
	if v.Type != "v128" {
		text, _ := v.Value.(string)
		n, ok := number(text)
		if ok && v.Type == "externref" {
			n++ // null is 0
		}
		return []uint64{n}
	}
	width, err := strconv.Atoi(v.LaneType[1:])
	if err != nil {
		return []uint64{0, 0}
	}
	out := make([]uint64, 2)
	for i, l := range v.Value.([]any) {
		n, _ := number(l.(string))
		if width < 64 {
			n &= 1<<width - 1
		}
		out[i*width/64] |= n << (i * width % 64)
	}
	return out
}

// number reads a number; false if it is null or any NaN.
func number(text string) (uint64, bool) {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return uint64(n), err == nil
}

// exact tells whether a result has to be just this number.
func (v value) exact() bool {
	text, ok := v.Value.(string)
	_, number := number(text)
	return ok && number && v.Type != "funcref"
}

// A world is where the modules of one file meet.
type world struct {
	runtime wazero.Runtime
	named   map[string]api.Module
	last    api.Module
	rewrite func([]byte) ([]byte, error)
}

func (w *world) instantiate(wasm []byte, name string) error {
	wasm, err := w.rewrite(wasm)
	if err != nil {
		return err
	}
	c := wazero.NewModuleConfig().WithName(name)
	m, err := w.runtime.InstantiateWithConfig(context.Background(), wasm, c)
	if err == nil {
		w.last = m
	}
	return err
}

func (w *world) module(name string) api.Module {
	if name == "" {
		return w.last
	}
	return w.named[name]
}

// linked is for modules of the suite, which may be large and import each other.
func linked() meter.Options {
	const lots = 1 << 28
	return meter.Options{Linked: true, Fuel: 1 << 62, Limits: meter.Limits{
		Memory: 1 << 16, Table: lots, Growth: lots, Locals: 1 << 20, Values: 1 << 16, Mutable: lots,
		Effort: lots, Efforts: 1 << 40,
		Targets: lots,
	}}
}

func newWorlds(t *testing.T, dir string, c wazero.RuntimeConfig) (original, metered *world) {
	host, err := os.ReadFile(filepath.Join(dir, "../../testdata/spectest.wasm"))
	require.NoError(t, err)
	original = &world{named: map[string]api.Module{}, rewrite: func(b []byte) ([]byte, error) { return b, nil }}
	metered = &world{named: map[string]api.Module{}, rewrite: func(b []byte) ([]byte, error) {
		return meter.Rewrite(b, linked())
	}}
	for _, w := range []*world{original, metered} {
		w.runtime = newRuntime(t, c, 1<<16)
		require.NoError(t, w.instantiate(host, "spectest"))
	}
	return original, metered
}

// runSpec runs a file's commands on the modules as they are and on metered ones: both do what the
// specification says, and the same.
func runSpec(t *testing.T, path string, c wazero.RuntimeConfig) (assertions int) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var s spec
	require.NoError(t, json.Unmarshal(text, &s))
	original, metered := newWorlds(t, filepath.Dir(path), c)
	for n, cmd := range s.Commands {
		switch {
		case cmd.ModuleType == "text", cmd.Type == "register":
		case cmd.Filename != "":
			name := ""
			if n+1 < len(s.Commands) && s.Commands[n+1].Type == "register" {
				name = s.Commands[n+1].As
			}
			wasm, err := os.ReadFile(filepath.Join(filepath.Dir(path), cmd.Filename))
			require.NoError(t, err)
			want, got := original.instantiate(wasm, name), metered.instantiate(wasm, name)
			assert.Equal(t, want == nil, got == nil, "line %d: %s: %v, metered %v", cmd.Line, cmd.Type, want, got)
			if cmd.Type == "module" {
				require.NoError(t, got, "line %d", cmd.Line)
				original.named[cmd.Name], metered.named[cmd.Name] = original.last, metered.last
			}
			assertions++
		default:
			assertions++
			compare(t, cmd, original, metered)
		}
	}
	return assertions
}

// compare performs one action in both worlds.
func compare(t *testing.T, cmd command, original, metered *world) {
	a, b := original.module(cmd.Action.Module), metered.module(cmd.Action.Module)
	if cmd.Action.Type == "get" {
		assert.Equal(t, cmd.Expected[0].bits()[0], b.ExportedGlobal(cmd.Action.Field).Get(), "line %d", cmd.Line)
		return
	}
	var args []uint64
	for _, v := range cmd.Action.Args {
		args = append(args, v.bits()...)
	}
	want, wantErr := a.ExportedFunction(cmd.Action.Field).Call(context.Background(), args...)
	got, gotErr := b.ExportedFunction(cmd.Action.Field).Call(context.Background(), args...)
	trapped := cmd.Type == "assert_trap" || cmd.Type == "assert_exhaustion"
	assert.Equal(t, trapped, gotErr != nil, "line %d: %v", cmd.Line, gotErr)
	assert.Equal(t, trap(wantErr), trap(gotErr), "line %d", cmd.Line)
	if gotErr != nil || wantErr != nil || len(got) != len(want) {
		assert.Len(t, got, len(want), "line %d", cmd.Line)
		return
	}
	at := 0
	for _, v := range cmd.Expected {
		for _, bits := range v.bits() {
			if strings.HasSuffix(v.Type, "32") { // the other half is anything
				bits, want[at], got[at] = uint64(uint32(bits)), uint64(uint32(want[at])), uint64(uint32(got[at]))
			}
			if v.Type == "funcref" {
				assert.Equal(t, want[at] == 0, got[at] == 0, "line %d", cmd.Line)
			} else {
				assert.Equal(t, want[at], got[at], "line %d: %s", cmd.Line, cmd.Action.Field)
			}
			if v.exact() {
				assert.Equal(t, bits, got[at], "line %d: %s", cmd.Line, cmd.Action.Field)
			}
			at++
		}
	}
}

// trap is the reason of an error, without the stack of the guest.
func trap(err error) string {
	if err == nil {
		return ""
	}
	reason, _, _ := strings.Cut(err.Error(), "\n")
	return reason
}

// A part of the suite that covers every kind of edit; the whole of it is a soak test.
func TestMeteredModulesDoWhatTheSpecificationSays(t *testing.T) {
	dir := filepath.Join(specDir(t), "v2/testdata")
	for _, name := range []string{
		"block", "br_table", "call_indirect", "func", "if", "imports", "labels", "left-to-right", "linking", "loop",
		"memory_copy", "memory_grow", "ref_func", "simd_lane", "start", "table_fill", "table_grow", "unwind",
	} {
		t.Run(name, func(t *testing.T) {
			n := runSpec(t, filepath.Join(dir, name+".json"), wazero.NewRuntimeConfigInterpreter())
			require.NotZero(t, n)
		})
	}
}
