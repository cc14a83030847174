package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/wedge-lb/wedge/edge/admin"
)

const (
	overrideFile    = "overrides.json"
	overrideVersion = 1
	overrideLimit   = 8 << 20 // bytes of the file
	maxNameLen      = 1024    // bytes of a pool's or backend's name in it
)

// kept is the file's form.
type kept struct {
	Version   int         `json:"version"`
	Overrides []*override `json:"overrides"`
}

func overridePath(dir string) string { return filepath.Join(dir, overrideFile) }

// load reads the file. One that is broken is set aside and does not keep the edge from starting.
func (o *overrides) load(now time.Time) map[subject]*override {
	list, err := readOverrides(o.path)
	if err != nil {
		aside := o.path + ".bad"
		o.log.Error("overrides not read; the file is set aside", "file", o.path, "aside", aside,
			"error", errors.Join(err, os.Rename(o.path, aside)))
		return map[subject]*override{}
	}
	for at, each := range list {
		if why := each.over(now); why != "" {
			delete(list, at)
			o.log.Info("backend override ended", "pool", at.pool, "backend", at.backend, "reason", why)
		}
	}
	return list
}

// readOverrides gives none if there is no file.
func readOverrides(path string) (map[subject]*override, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[subject]*override{}, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, overrideLimit+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(data) > overrideLimit {
		return nil, fmt.Errorf("over %d bytes", overrideLimit)
	}
	return parseOverrides(data)
}

func parseOverrides(data []byte) (map[subject]*override, error) {
	var file kept
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the value")
	}
	if file.Version != overrideVersion {
		return nil, fmt.Errorf("version %d: this edge knows %d", file.Version, overrideVersion)
	}
	if len(file.Overrides) > maxOverrides {
		return nil, fmt.Errorf("%d overrides: at most %d", len(file.Overrides), maxOverrides)
	}
	list := map[subject]*override{}
	for i, each := range file.Overrides {
		if each == nil {
			return nil, fmt.Errorf("overrides[%d]: null", i)
		}
		at := subject{each.Pool, each.Backend}
		if list[at] != nil {
			return nil, fmt.Errorf("overrides[%d]: backend %q of pool %q has two", i, at.backend, at.pool)
		}
		if err := each.check(); err != nil {
			return nil, fmt.Errorf("overrides[%d]: %w", i, err)
		}
		list[at] = each
	}
	return list, nil
}

func (o *override) check() error {
	_, known := conditions[o.State]
	switch {
	case o.Pool == "" || o.Backend == "" || len(o.Pool) > maxNameLen || len(o.Backend) > maxNameLen:
		return errors.New("pool and backend: want names")
	case o.State != "" && !known:
		return fmt.Errorf("state %q is none", o.State)
	case o.Weight > maxOverrideWeight:
		return fmt.Errorf("weight %d: at most %d", o.Weight, maxOverrideWeight)
	case o.State == "" && o.Weight == 0:
		return errors.New("neither state nor weight")
	case !o.Deadline.IsZero() && o.State != admin.StateDrain && o.State != admin.StateMaintenance:
		return errors.New("deadline: only of drain and maintenance")
	}
	return nil
}

const maxOverrideWeight = 1000

// saveOverrides writes the file. What cannot be written is in force nevertheless, says so in the list, and is
// tried again.
func (s *Server) saveOverrides() {
	o := s.overrides
	o.saving.Lock()
	defer o.saving.Unlock()
	s.mu.Lock()
	data, err := json.MarshalIndent(kept{overrideVersion, o.sorted()}, "", "  ")
	s.mu.Unlock()
	if err == nil {
		err = writeFile(o.path, data)
	}
	s.mu.Lock()
	before := o.unsaved
	o.unsaved = err
	s.mu.Unlock()
	switch {
	case err != nil && before == nil:
		o.log.Error("overrides not saved: a restart would forget them", "file", o.path, "error", err)
	case err == nil && before != nil:
		o.log.Info("overrides saved again", "file", o.path)
	}
}
