package plugin

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// An admissionError is why a module is not a strategy that this host can run.
type admissionError struct{ text string }

func (e *admissionError) Error() string { return e.text }

func refuse(format string, args ...any) error {
	return &admissionError{fmt.Sprintf(format, args...)}
}

// checkSize looks at what can be seen before any parsing.
func checkSize(wasm []byte) error {
	if len(wasm) > abi.MaxModuleSize {
		return refuse("module of %d bytes; at most %d are allowed", len(wasm), abi.MaxModuleSize)
	}
	if !bytes.HasPrefix(wasm, []byte("\x00asm\x01\x00\x00\x00")) {
		return refuse("not a WebAssembly module")
	}
	return nil
}

// admit holds the exports of a compiled module to the ABI, before anything of it runs.
func admit(c wazero.CompiledModule) error {
	if err := admitVersion(c); err != nil {
		return err
	}
	if _, ok := c.ExportedMemories()[abi.ExportMemory]; !ok {
		return refuse("export %q: missing; a memory is wanted", abi.ExportMemory)
	}
	found := c.ExportedFunctions()
	for _, want := range abi.Exports() {
		f, ok := found[want.Name]
		switch {
		case !ok && want.Optional:
		case !ok:
			return refuse("export %q: missing; a function %s is wanted", want.Name, want.Type())
		case typeOf(f) != want.Type():
			return refuse("export %q: a function %s; %s is wanted", want.Name, typeOf(f), want.Type())
		}
	}
	return nil
}

// admitVersion refuses a module that speaks no version of the ABI, or another, by name.
func admitVersion(c wazero.CompiledModule) error {
	var others []string
	for name := range c.ExportedFunctions() {
		if name == abi.ExportVersion {
			return nil
		}
		if strings.HasPrefix(name, abi.VersionPrefix) {
			others = append(others, printable([]byte(name), 64))
		}
	}
	if len(others) > 0 {
		slices.Sort(others)
		return refuse("module speaks %s; this host speaks %s", strings.Join(others, ", "), abi.ExportVersion)
	}
	return refuse("export %q: missing; the module is not a wedge strategy", abi.ExportVersion)
}

// typeOf writes a function's type as abi.Func.Type does.
func typeOf(f api.FunctionDefinition) string {
	return valueTypes(f.ParamTypes()) + " -> " + valueTypes(f.ResultTypes())
}

func valueTypes(list []api.ValueType) string {
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = api.ValueTypeName(t)
	}
	return "(" + strings.Join(names, ", ") + ")"
}
