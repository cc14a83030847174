package plugin

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// What a library keeps at most, if its Options do not say.
const (
	libraryBytes   = 256 << 20
	libraryModules = 256
)

const (
	moduleSuffix    = ".wasm"
	signatureSuffix = ".sig"
)

// A Library is a directory of modules, each under its digest, so that what an edge ran once it can run again without
// its source. It is safe for concurrent use within a process; two processes may share one.
type Library struct {
	dir    string
	bytes  int64
	frozen bool // nothing is written

	mu sync.Mutex
}

// ReadLibrary is a library that is only read, if it is there at all.
func ReadLibrary(dir string) *Library { return &Library{dir: dir, frozen: true} }

// OpenLibrary takes a directory, which is made for its owner alone. It keeps at most limit bytes of modules, the
// newest used; 0 = 256 MiB.
func OpenLibrary(dir string, limit int64) (*Library, error) {
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, 0o700)); err != nil {
		return nil, fmt.Errorf("plugin store: %w", err)
	}
	if limit <= 0 {
		limit = libraryBytes
	}
	return &Library{dir: dir, bytes: limit}, nil
}

// Get gives a module and the signature that it was put with, nil if it had none. What is not the module of that
// digest any more is removed, and reported as fs.ErrNotExist is.
func (l *Library) Get(digest string) (wasm, signature []byte, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	digest = strings.ToLower(digest)
	if raw, err := hex.DecodeString(digest); err != nil || len(raw) != 32 {
		return nil, nil, fmt.Errorf("plugin store: %w", fs.ErrNotExist)
	}
	path := filepath.Join(l.dir, digest+moduleSuffix)
	if wasm, err = readBounded(path, abi.MaxModuleSize); err != nil {
		return nil, nil, fmt.Errorf("plugin store: %w", err)
	}
	if Digest(wasm) != digest {
		if !l.frozen {
			_ = os.Remove(path)
		}
		return nil, nil, fmt.Errorf("plugin store: %s was damaged: %w", path, fs.ErrNotExist)
	}
	if !l.frozen {
		now := time.Now()
		_ = os.Chtimes(path, now, now) // the newest used stay longest
	}
	if data, err := readBounded(filepath.Join(l.dir, digest+signatureSuffix), maxSignature); err == nil {
		signature, _ = ParseSignature(data)
	}
	return wasm, signature, nil
}

// maxSignature bounds a signature's file, in bytes.
const maxSignature = 1 << 10

// readBounded reads a regular file that is not longer than limit.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s: not a regular file", path))
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s: longer than %d bytes", path, limit)
	}
	return data, err
}

// Put keeps a module and its signature, if it has one, and removes the oldest used that there is no room for.
func (l *Library) Put(wasm, signature []byte) error {
	if l.frozen {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	path := filepath.Join(l.dir, Digest(wasm)+moduleSuffix)
	if signature != nil {
		side := strings.TrimSuffix(path, moduleSuffix) + signatureSuffix
		if err := l.keepLocked(side, signature); err != nil {
			return err
		}
	}
	if err := l.keepLocked(path, wasm); err != nil {
		return err
	}
	return l.trimLocked(filepath.Base(path))
}

// keepLocked writes a file unless it holds the same already.
func (l *Library) keepLocked(path string, data []byte) error {
	if found, err := readBounded(path, int64(len(data))); err == nil && bytes.Equal(found, data) {
		now := time.Now()
		return os.Chtimes(path, now, now)
	}
	if err := writeWhole(path, data); err != nil {
		return fmt.Errorf("plugin store: %w", err)
	}
	return nil
}

// writeWhole puts a file in place whole or not at all, for its owner alone.
func writeWhole(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close()) // the rename outlasts a crash
}

// trimLocked removes the oldest used modules until the rest fits, but not the one that is named.
func (l *Library) trimLocked(keep string) error {
	modules, err := l.modulesLocked()
	if err != nil {
		return fmt.Errorf("plugin store: %w", err)
	}
	var total int64
	var errs []error
	for n, m := range modules { // newest first
		if total += m.Size(); n == 0 || m.Name() == keep || total <= l.bytes && n < libraryModules {
			continue
		}
		total -= m.Size()
		path := filepath.Join(l.dir, m.Name())
		side := os.Remove(strings.TrimSuffix(path, moduleSuffix) + signatureSuffix)
		if errors.Is(side, fs.ErrNotExist) {
			side = nil
		}
		errs = append(errs, os.Remove(path), side)
	}
	return errors.Join(errs...)
}

// modulesLocked lists the modules, the newest used first.
func (l *Library) modulesLocked() ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(l.dir)
	var list []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && strings.HasSuffix(e.Name(), moduleSuffix) {
			list = append(list, info)
		}
	}
	slices.SortFunc(list, func(a, b fs.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	return list, err
}
