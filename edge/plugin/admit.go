package plugin

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

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

// signatures are the functions that a module of imports offers, by name.
type signatures map[string]string

func wedgeSignatures() signatures {
	s := signatures{}
	for _, f := range abi.Imports() {
		s[f.Name] = f.Type()
	}
	return s
}

func wasiSignatures(c wazero.CompiledModule) signatures {
	s := signatures{}
	for name, f := range c.ExportedFunctions() {
		s[name] = typeOf(f)
	}
	return s
}

// admit holds the exports and imports of a compiled module to the ABI, before anything of it runs.
func admit(c wazero.CompiledModule, wasi signatures) error {
	if err := admitVersion(c); err != nil {
		return err
	}
	err := admitImports(c, map[string]signatures{
		abi.Module: wedgeSignatures(), wasi_snapshot_preview1.ModuleName: wasi,
	})
	if err != nil {
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

func admitImports(c wazero.CompiledModule, known map[string]signatures) error {
	for _, m := range c.ImportedMemories() {
		module, name, _ := m.Import()
		return refuse("import %s: a memory; a strategy brings its own", importName(module, name))
	}
	for _, f := range c.ImportedFunctions() {
		module, name, _ := f.Import()
		list, ok := known[module]
		if !ok {
			return refuse("import %s: unknown module", importName(module, name))
		}
		want, ok := list[name]
		if !ok {
			return refuse("import %s: unknown function", importName(module, name))
		}
		if got := typeOf(f); got != want {
			return refuse("import %s: a function %s; it is %s", importName(module, name), got, want)
		}
	}
	return nil
}

func importName(module, name string) string {
	return fmt.Sprintf("%q", printable([]byte(module+"."+name), 128))
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
