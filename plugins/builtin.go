package plugins

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed dist
var dist embed.FS

// ErrUnknown is the error of Builtin for a name that no built-in strategy has.
var ErrUnknown = errors.New("no such built-in strategy")

// ErrNotBuilt is the error of Builtin if the binary was built without the modules.
var ErrNotBuilt = errors.New("this binary was built without its built-in strategies: run make build")

// Names lists the built-in strategies, built or not.
func Names() []string {
	return []string{"consistent-hash", "cookie-sticky", "ip-affinity", "stateless"}
}

// Builtin is the module of a built-in strategy. The caller must not change it.
func Builtin(name string) ([]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("plugin %q: %w; there are %s", name, ErrUnknown, strings.Join(Names(), ", "))
	}
	module, err := dist.ReadFile("dist/" + name + ".wasm")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("plugin %q: %w", name, ErrNotBuilt)
	}
	return module, err
}
