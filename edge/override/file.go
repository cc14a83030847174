package override

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

const (
	version = 1
	maxFile = 16 << 20 // bytes
)

// file is a Book on disk.
type file struct {
	Version   int    `json:"version"`
	Overrides []Word `json:"overrides"`
}

func (b *Book) load(now time.Time) map[subject]*entry {
	words := map[subject]*entry{}
	list, err := read(b.opt.Path)
	if err != nil {
		aside := b.opt.Path + ".bad"
		b.opt.Logger.Error("overrides not read; the file is set aside", "file", b.opt.Path, "aside", aside,
			"error", errors.Join(err, os.Rename(b.opt.Path, aside)))
	}
	for _, w := range list {
		if why := w.over(now); why != "" {
			b.opt.Logger.Info("backend override ended", "pool", w.Pool, "backend", w.Backend, "reason", why)
			continue
		}
		words[subject{w.Pool, w.Backend}] = &entry{Word: w}
	}
	return words
}

// read gives none if there is no file.
func read(path string) ([]Word, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("over %d bytes", maxFile)
	}
	return Parse(data)
}

// Parse reads the file's content. Every word in it can be, and no backend has two.
func Parse(data []byte) ([]Word, error) {
	var f file
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the value")
	}
	switch {
	case f.Version != version:
		return nil, fmt.Errorf("version %d: this edge knows %d", f.Version, version)
	case len(f.Overrides) > maxWords:
		return nil, fmt.Errorf("%d overrides: at most %d", len(f.Overrides), maxWords)
	}
	seen := map[subject]bool{}
	for i, w := range f.Overrides {
		at := subject{w.Pool, w.Backend}
		if seen[at] {
			return nil, fmt.Errorf("overrides[%d]: backend %q of pool %q has two", i, at.backend, at.pool)
		}
		seen[at] = true
		if err := w.check(); err != nil {
			return nil, fmt.Errorf("overrides[%d]: %w", i, err)
		}
	}
	return f.Overrides, nil
}

// Save writes the file. Words that cannot be written are in force nevertheless; List tells, and Tend has it tried
// again.
func (b *Book) Save() {
	b.saving.Lock()
	defer b.saving.Unlock()
	b.mu.Lock()
	data, err := json.MarshalIndent(file{version, b.listLocked()}, "", "  ")
	b.mu.Unlock()
	if err == nil {
		err = b.opt.Write(b.opt.Path, append(data, '\n'))
	}
	b.mu.Lock()
	before := b.unsaved
	b.unsaved = err
	b.mu.Unlock()
	switch {
	case err != nil && before == nil:
		b.opt.Logger.Error("overrides not saved: a restart would forget them", "file", b.opt.Path, "error", err)
	case err == nil && before != nil:
		b.opt.Logger.Info("overrides saved again", "file", b.opt.Path)
	}
}
