package meter

// Options of Rewrite. The zero value offers a module no imports.
type Options struct {
	Limits  Limits
	Imports map[string]map[string]Import // the functions offered, by module and name

	// Fuel is what the counter begins with, before the host sets it: it bounds the module's start function.
	// Default 0, which lets no start function run that has to pay.
	Fuel int64

	// Calls are exported functions of which there is to be a form that takes fuel and gives back what is left,
	// under the name Fuelled: quicker for a host than the counter by itself.
	Calls []string

	// Linked lets through imports of any name and kind, and any number of tables: for modules that are linked
	// to each other, in tests.
	Linked bool
}

// Rewrite checks a module and gives its metered form. The error is a *Fault. It is safe for concurrent use
// and keeps nothing of wasm.
func Rewrite(wasm []byte, o Options) ([]byte, error) {
	m := &module{opt: &o, lim: o.Limits.withDefaults(), wasm: wasm}
	if f := m.read(); f != nil {
		return nil, f
	}
	code, f := m.meterCode()
	if f != nil {
		return nil, f
	}
	return m.write(code), nil
}

// Fuelled is the export that calls the exported function name: it takes its parameters and the fuel, an i64, makes
// that the counter, and gives its results and the counter.
func Fuelled(name string) string { return Export + ":" + name }
