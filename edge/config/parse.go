package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

const maxSecretFile = 4096 // bytes

// Options are what Parse uses beside the document.
type Options struct {
	Dir string // where relative names of files start; default: the working directory

	ReadFile  func(name string) ([]byte, error)         // for ${file:}; default: files up to 4 KiB
	LookupEnv func(name string) (value string, ok bool) // for ${env:}; default: os.LookupEnv
}

func (o Options) withDefaults() (Options, error) {
	if o.ReadFile == nil {
		o.ReadFile = func(name string) ([]byte, error) { return readFile(name, maxSecretFile) }
	}
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	dir, err := filepath.Abs(o.Dir)
	o.Dir = dir
	return o, err
}

// Load reads the configuration in file path. What is wrong with it is a Faults;
// another error means that it could not be read.
func Load(path string) (*Config, error) {
	data, err := readFile(path, maxDocument)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return Parse(path, data, Options{Dir: filepath.Dir(path)})
}

// Parse reads a configuration; name is what faults call it. What is wrong with it is
// a Faults, in the order of the file.
func Parse(name string, data []byte, o Options) (*Config, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("config %s: %w", name, err)
	}
	s := newSource(name, strings.TrimPrefix(string(data), "\uFEFF"))
	if fault := s.document(); fault != nil {
		return nil, Faults{*fault}
	}
	c := Default()
	c.source = s
	d := &decoder{source: s, opt: o, told: map[told]bool{}}
	d.document(c)
	d.check(c)
	if err := d.result(); err != nil {
		return nil, err
	}
	return c, nil
}

// ParseBackends reads a list of backends, as pools.NAME.backends is one, for a pool that speaks protocol to
// them; name is what faults call the list. What is wrong with it is a Faults. A list may be empty.
func ParseBackends(name string, data []byte, protocol string) ([]Backend, error) {
	s := newSource(name, strings.TrimPrefix(string(data), "\uFEFF"))
	if fault := s.document(); fault != nil {
		return nil, Faults{*fault}
	}
	d := &decoder{source: s, told: map[told]bool{}}
	var list []Backend
	d.value(s.root, nil, reflect.ValueOf(&list).Elem(), rules{})
	k := &checker{decoder: d, c: Default(), faulty: d.faulty(), finder: s.finder()}
	k.backends("", list)
	k.spoken("", list, protocol)
	if err := d.result(); err != nil {
		return nil, err
	}
	for i := range list {
		list[i].ID = list[i].Name()
	}
	return list, nil
}

var errTooLarge = errors.New("the file is too large")

// readFile reads a file of at most limit bytes.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &os.PathError{Op: "read", Path: name, Err: errTooLarge}
	}
	return data, err
}
