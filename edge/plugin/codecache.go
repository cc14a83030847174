package plugin

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"golang.org/x/sys/cpu"
)

// What a cache keeps at most: bytes of compiled code, and modules.
const (
	cacheBytes   = 512 << 20
	cacheModules = 128
)

// A codeCache keeps what children compiled. wazero would run whatever lies under the right name, so each file has a
// note beside it, authenticated by a key of this cache's own, and is held to it before wazero may read it. Who can
// write in the directory can run code here: it is its owner's alone.
type codeCache struct {
	dir      string
	key      []byte
	compiler CompilerCommand
	turn     chan struct{} // one compilation at a time; holds a value while one runs
}

// A compiledNote says what a compiled file is.
type compiledNote struct {
	Module string // its path in the cache
	Size   int64
	Meter  string // digest of the module that it was compiled from, after metering
	MAC    string // of all that and of the file, in hex
}

const (
	noteDir    = "notes"
	keyFile    = "key"
	noteSuffix = ".json"
)

func newCodeCache(dir string, c CompilerCommand) (*codeCache, error) {
	cache := &codeCache{dir: dir, compiler: c.withDefaults(), turn: make(chan struct{}, 1)}
	if err := os.MkdirAll(filepath.Join(dir, noteDir), 0o700); err != nil {
		return nil, err
	}
	left, err := filepath.Glob(filepath.Join(dir, scratchPrefix+"*"))
	for _, old := range left { // of a child that was killed with its edge
		if info, e := os.Stat(old); e == nil && time.Since(info.ModTime()) > time.Hour {
			err = errors.Join(err, os.RemoveAll(old))
		}
	}
	if err != nil {
		return nil, err
	}
	cache.key, err = loadKey(filepath.Join(dir, keyFile))
	return cache, err
}

// loadKey reads the cache's key, or makes one.
func loadKey(path string) ([]byte, error) {
	key, err := readBounded(path, sha256.Size)
	if err == nil && len(key) == sha256.Size {
		return key, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key = make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return key, writeWhole(path, key)
}

// wazeroPath is wazero's module path, for its version.
const wazeroPath = "github.com/tetratelabs/wazero"

// name is what a module's note is called: it stands for all that compiled code depends on, but for metering, which
// the note has.
func (c *codeCache) name(wasm []byte, l Limits) string {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == wazeroPath {
				version = m.Version
			}
		}
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %s %+v %+v %+v", Digest(wasm), version, runtime.GOOS, runtime.GOARCH,
		l, cpu.X86, cpu.ARM64))
	return hex.EncodeToString(sum[:])
}

// ready gives the note of a module whose compiled code lies in the cache; a child compiles it if need be. With an
// error in unkept the cache cannot have it, but the child found nothing wrong with it.
func (c *codeCache) ready(ctx context.Context, wasm []byte, l Limits) (note compiledNote, unkept, err error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return note, nil, fmt.Errorf("compile: %w", ctx.Err())
	}
	name := c.name(wasm, l)
	if note, err = c.read(name); err == nil {
		return note, nil, nil
	}
	dir, unkept := scratch(c.dir)
	if unkept != nil {
		_, err = c.compiler.run(ctx, wasm, l, "")
		return note, unkept, err
	}
	defer os.RemoveAll(dir)
	answer, err := c.compiler.run(ctx, wasm, l, dir)
	switch {
	case err != nil:
		return note, nil, err
	case answer.Unstored != "":
		return note, errors.New(printable([]byte(answer.Unstored), maxText)), nil
	}
	note, unkept = c.keep(name, dir, answer.Metered)
	return note, unkept, nil
}

// read gives a note, and is an error unless the file is what it says.
func (c *codeCache) read(name string) (note compiledNote, err error) {
	path := filepath.Join(c.dir, noteDir, name+noteSuffix)
	text, err := readBounded(path, maxAnswer)
	if err != nil {
		return note, err
	}
	if err = json.Unmarshal(text, &note); err != nil {
		return note, err
	}
	if !filepath.IsLocal(note.Module) {
		return note, fs.ErrInvalid
	}
	code, err := readBounded(filepath.Join(c.dir, note.Module), cacheBytes)
	if err != nil {
		return note, err
	}
	if !hmac.Equal([]byte(note.MAC), []byte(c.mac(name, note, code))) {
		return note, errors.Join(errDamaged, os.Remove(filepath.Join(c.dir, note.Module)))
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // the newest used stay longest
	return note, nil
}

var errDamaged = errors.New("compiled code was changed")

// mac authenticates a file, what it was made of and where it lies.
func (c *codeCache) mac(name string, note compiledNote, code []byte) string {
	h := hmac.New(sha256.New, c.key)
	fmt.Fprintf(h, "%q %q %q %d\n", name, note.Module, note.Meter, len(code))
	h.Write(code)
	return hex.EncodeToString(h.Sum(nil))
}

// keep takes what a child left in dir into the cache.
func (c *codeCache) keep(name, dir, meter string) (note compiledNote, err error) {
	file, err := compiledFile(dir)
	if err != nil {
		return note, err
	}
	if note.Module, err = filepath.Rel(dir, file); err != nil {
		return note, err
	}
	code, err := readBounded(file, cacheBytes)
	if err != nil {
		return note, err
	}
	note.Size, note.Meter = int64(len(code)), meter
	note.MAC = c.mac(name, note, code)
	path := filepath.Join(c.dir, note.Module)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.Rename(file, path)); err != nil {
		return note, err
	}
	text, err := json.Marshal(note)
	if err != nil {
		return note, err
	}
	if err := writeWhole(filepath.Join(c.dir, noteDir, name+noteSuffix), text); err != nil {
		return note, err
	}
	return note, c.trim()
}

// forget removes a note, so that its module is compiled again.
func (c *codeCache) forget(wasm []byte, l Limits) error {
	return os.Remove(filepath.Join(c.dir, noteDir, c.name(wasm, l)+noteSuffix))
}

// trim removes the oldest used code until the rest fits.
func (c *codeCache) trim() error {
	entries, err := os.ReadDir(filepath.Join(c.dir, noteDir))
	if err != nil {
		return err
	}
	var list []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), noteSuffix) {
			list = append(list, info)
		}
	}
	slices.SortFunc(list, func(a, b fs.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	var total int64
	var errs []error
	for n, info := range list {
		path := filepath.Join(c.dir, noteDir, info.Name())
		var note compiledNote
		text, err := readBounded(path, maxAnswer)
		sound := err == nil && json.Unmarshal(text, &note) == nil && filepath.IsLocal(note.Module)
		if total += note.Size; sound && (n == 0 || total <= cacheBytes && n < cacheModules) {
			continue
		}
		if total -= note.Size; sound {
			errs = append(errs, os.Remove(filepath.Join(c.dir, note.Module)))
		}
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}

// loading is how a module is to be loaded.
type loading struct {
	cache  wazero.CompilationCache // nil = none
	expect string                  // digest of the module that has been compiled, after metering; "" = any
}

// errStale is when the cache holds code of a module that is metered in another way now.
var errStale = errors.New("compile: the compiled code is of another metering")
