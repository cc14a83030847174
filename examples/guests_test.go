package examples_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk/sdktest"
)

var update = flag.Bool("update", false, "write the binaries of the guests anew")

// guest is an example in another language than Go.
type guest struct {
	folder, source, binary string
	tool                   func(folder string) (path string, ok bool) // the compiler, if it is here
	version                string                                     // argument that makes it tell its version
}

var guests = []guest{
	{"c-rendezvous", "rendezvous.c", "rendezvous.wasm", findClang, "--version"},
	{"rust-zone", "zone.rs", "zone.wasm", findRust, "--version"},
	{"assemblyscript-sticky", "sticky.ts", "sticky.wasm", findAsc, "--version"},
}

func findClang(string) (string, bool) {
	_, err := exec.LookPath("wasm-ld")
	clang, missing := exec.LookPath("clang")
	return clang, err == nil && missing == nil
}

// findRust looks for a compiler that has the target: rustup's may be first in the path, and lack it.
func findRust(string) (string, bool) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin") {
		rustc := filepath.Join(dir, "rustc")
		out, err := exec.Command(rustc, "--target", "wasm32-unknown-unknown", "--print", "target-libdir").Output()
		if info, missing := os.Stat(strings.TrimSpace(string(out))); err == nil && missing == nil && info.IsDir() {
			return rustc, true
		}
	}
	return "", false
}

func findAsc(folder string) (string, bool) {
	_, err := exec.LookPath("node")
	asc, wrong := filepath.Abs(filepath.Join(folder, "node_modules/.bin/asc"))
	_, missing := os.Stat(asc)
	return asc, err == nil && wrong == nil && missing == nil
}

// made holds what the compilers of this machine made, by folder.
var made struct {
	sync.Mutex
	modules map[string][]byte
}

// build is what the compiler of this machine makes of the guest, once.
func (g guest) build(t *testing.T, tool string) []byte {
	t.Helper()
	made.Lock()
	defer made.Unlock()
	if made.modules == nil {
		made.modules = map[string][]byte{}
	}
	if made.modules[g.folder] == nil {
		made.modules[g.folder] = g.compile(t, tool)
	}
	return made.modules[g.folder]
}

// compile runs the command of the guest's README in a copy of its folder.
func (g guest) compile(t *testing.T, tool string) []byte {
	t.Helper()
	commands, err := sdktest.Blocks(filepath.Join(g.folder, "README.md"), "sh")
	require.NoError(t, err)
	require.Len(t, commands, 1)
	dir, here := t.TempDir(), absolute(t, g.folder)
	require.NoError(t, os.Symlink(filepath.Join(here, "node_modules"), filepath.Join(dir, "node_modules")))
	source, err := os.ReadFile(filepath.Join(here, g.source))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, g.source), source, 0o600))
	cmd := exec.Command("sh", "-ec", commands[0])
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(tool)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	module, err := os.ReadFile(filepath.Join(dir, g.binary))
	require.NoError(t, err)
	return module
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	return path
}

// origin is what a binary was made of, and by which compiler: the text of the file built.
func (g guest) origin(t *testing.T, module []byte, by string) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(g.folder, g.source))
	require.NoError(t, err)
	commands, err := sdktest.Blocks(filepath.Join(g.folder, "README.md"), "sh")
	require.NoError(t, err)
	return fmt.Sprintf("source %x\ncommand %x\nbinary %x\nby %s\n", sha256.Sum256(source),
		sha256.Sum256([]byte(strings.Join(commands, ""))), sha256.Sum256(module), by)
}

// compiler is the first line of what the tool says of itself.
func (g guest) compiler(t *testing.T, tool string) string {
	t.Helper()
	out, err := exec.Command(tool, g.version).Output()
	require.NoError(t, err)
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

func (g guest) checkedIn(t *testing.T) []byte {
	t.Helper()
	module, err := os.ReadFile(filepath.Join(g.folder, g.binary))
	require.NoError(t, err)
	return module
}

// modules are what to test of a guest: the binary that is checked in, and the one that the compiler of this
// machine makes, if there is one and it differs.
func (g guest) modules(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{"checked in": g.checkedIn(t)}
	if tool, ok := g.tool(g.folder); ok {
		if module := g.build(t, tool); !bytes.Equal(module, all["checked in"]) {
			all["built here"] = module
		}
	}
	return all
}

// A change of a source without a new binary is told on every machine, by the digests; that the binary is what
// the source makes, on those that have the compiler it was made by.
func TestBinariesAreWhatTheirSourcesMake(t *testing.T) {
	for _, g := range guests {
		t.Run(g.folder, func(t *testing.T) {
			tool, ok := g.tool(g.folder)
			built := filepath.Join(g.folder, "built")
			if *update {
				require.True(t, ok, "no compiler; make toolchains installs it")
				module := g.build(t, tool)
				origin := g.origin(t, module, g.compiler(t, tool))
				require.NoError(t, os.WriteFile(filepath.Join(g.folder, g.binary), module, 0o644))
				require.NoError(t, os.WriteFile(built, []byte(origin), 0o644))
			}
			stands, err := os.ReadFile(built)
			require.NoError(t, err)
			_, by, _ := strings.Cut(strings.TrimSpace(string(stands)), "\nby ")
			require.Equal(t, g.origin(t, g.checkedIn(t), by), string(stands),
				"the source, its command or the binary changed; run make guests")
			if ok && g.compiler(t, tool) == by {
				assert.True(t, bytes.Equal(g.build(t, tool), g.checkedIn(t)), "%s is not what %s makes", g.binary, by)
			}
		})
	}
}
