package edge_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/wedge-lb/wedge"

// arrows says which of our packages each folder may import; a trailing /* stands for everything below.
var arrows = map[string][]string{
	"cmd/wedge":       {"edge", "edge/config", "edge/admin", "edge/demo"},
	"cmd/wedge-bench": {},
	"edge":            {"edge/*", "plugins"},
	"edge/config":     {},
	"edge/demo":       {"edge", "edge/config"},
	"edge/listen":     {"edge/http1", "edge/http2", "edge/proxy", "edge/proxyproto"},
	"edge/certs":      {},
	"edge/http1":      {},
	"edge/http2":      {},

	"edge/http1/http1test": {"edge/http1"}, // the attack cases, for tests of any proxy
	"edge/route":           {},
	"edge/proxy":           {"edge/http1", "edge/route", "edge/balance", "edge/affinity", "edge/observe"},
	"edge/balance":         {"edge/observe"},
	"edge/affinity":        {"edge/balance", "edge/store"},
	"edge/health":          {"edge/balance"},
	"edge/meter":           {},
	"edge/plugin":          {"edge/balance", "edge/meter", "edge/store", "edge/observe", "sdk/abi"},
	"edge/strategy":        {"edge/plugin", "edge/balance", "edge/observe"},
	"edge/upstream":        {"edge/http1", "edge/balance", "edge/observe", "edge/proxyproto"},
	"edge/proxyproto":      {},
	"edge/geo":             {},
	"edge/store":           {},
	"edge/discover":        {"edge/balance"},

	"edge/discover/dnstest": {}, // a DNS server, for tests of any package
	// modules in the plugin host, for tests of any package
	"edge/plugin/plugintest": {"edge/plugin", "edge/balance", "edge/store", "sdk/abi", "sdk/sdktest"},

	"edge/observe":  {},
	"edge/override": {"edge/balance"},
	"edge/admin":    {},
	"sdk":           {"sdk/abi"},
	"sdk/abi":       {},
	"sdk/sdktest":   {"sdk", "sdk/abi"},
	"sdk/observe":   {"sdk"},
	"plugins":       {},
	"plugins/*":     {"sdk"},
	"examples/*":    {"sdk", "edge", "edge/config"},
}

// fences says which folders may import a third party's packages.
var fences = map[string][]string{
	"github.com/tetratelabs/wazero":       {"edge/plugin"},
	"github.com/quic-go/quic-go":          {"edge/listen", "edge/demo", "cmd/wedge-bench"},
	"github.com/caddyserver/certmagic":    {"edge/certs"},
	"github.com/mholt/acmez":              {"edge/certs"},
	"go.uber.org/zap":                     {"edge/certs"},
	"github.com/miekg/dns":                {"edge/discover", "edge/discover/dnstest"},
	"github.com/spf13/cobra":              {"cmd/wedge"},
	"github.com/prometheus/client_golang": {"edge/observe"},

	"github.com/oschwald/maxminddb-golang": {"edge/geo"},
	"github.com/maxmind/mmdbwriter":        {}, // for tests
	"github.com/pires/go-proxyproto":       {}, // for tests
	"github.com/summerwind/h2spec":         {}, // for tests
}

// file is one Go file's folder and imports.
type file struct {
	path, folder string
	imports      []string
}

func TestImportsPointDownOnly(t *testing.T) {
	files := goFiles(t, "..")
	require.Greater(t, len(files), 20)
	assert.Empty(t, violations(files))
}

func TestTheFixtureWithForbiddenImportsFails(t *testing.T) {
	files := goFiles(t, "../testdata/layering")
	got := violations(files)
	assert.ElementsMatch(t, []string{
		"edge/proxy/up.go: edge/proxy may not import edge/listen",
		"edge/proxy/up.go: edge/proxy may not import github.com/tetratelabs/wazero",
		"edge/attic/attic.go: edge/attic has no place in the table",
	}, got)
}

func TestTopLevelHoldsNothingElse(t *testing.T) {
	allowed := []string{"cmd", "edge", "plugins", "sdk", "examples", "testdata", "bin",
		"go.mod", "go.sum", "Makefile", "README.md"}
	entries, err := filepath.Glob("../*")
	require.NoError(t, err)
	for _, e := range entries {
		name := filepath.Base(e)
		assert.True(t, strings.HasPrefix(name, ".") || slices.Contains(allowed, name), "top level: %s", name)
	}
}

func violations(files []file) []string {
	var found []string
	unplaced := map[string]bool{}
	for _, f := range files {
		allowed, ok := allowedFor(f.folder)
		if !ok {
			if !unplaced[f.folder] {
				found = append(found, f.path+": "+f.folder+" has no place in the table")
			}
			unplaced[f.folder] = true
			continue
		}
		for _, path := range f.imports {
			if to, bad := forbidden(f.folder, path, allowed); bad {
				found = append(found, f.path+": "+f.folder+" may not import "+to)
			}
		}
	}
	return found
}

func forbidden(folder, path string, allowed []string) (string, bool) {
	if ours, ok := strings.CutPrefix(path, module+"/"); ok {
		return ours, ours != folder && !slices.ContainsFunc(allowed, func(a string) bool { return covers(a, ours) })
	}
	for fence, inside := range fences {
		if path == fence || strings.HasPrefix(path, fence+"/") {
			return path, !slices.Contains(inside, folder)
		}
	}
	return "", false
}

func allowedFor(folder string) ([]string, bool) {
	if a, ok := arrows[folder]; ok {
		return a, true
	}
	for pattern, a := range arrows {
		if covers(pattern, folder) {
			return a, true
		}
	}
	return nil, false
}

func covers(pattern, folder string) bool {
	prefix, wild := strings.CutSuffix(pattern, "/*")
	return pattern == folder || wild && strings.HasPrefix(folder, prefix+"/")
}

// goFiles reads the imports of every Go file below root but tests, which may import what they exercise.
func goFiles(t *testing.T, root string) []file {
	t.Helper()
	var files []file
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		require.NoError(t, err)
		files = append(files, read(t, path, filepath.ToSlash(rel)))
		return nil
	})
	require.NoError(t, err)
	return files
}

func read(t *testing.T, path, rel string) file {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	require.NoError(t, err)
	f := file{path: rel, folder: filepath.ToSlash(filepath.Dir(rel))}
	for _, spec := range parsed.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		f.imports = append(f.imports, p)
	}
	return f
}
