package config

import (
	"errors"
	"path/filepath"
	"strings"
)

// File is the name of a file, written PATH or file:PATH; parsed it is absolute. "" =
// not given.
type File string

// Dir is the name of a directory; it is resolved like a File.
type Dir string

// Output is where a log goes: stdout, stderr or the name of a file, which is resolved
// like a File.
type Output string

// resolve returns the absolute name of the file that text names.
func (o Options) resolve(text string) (string, error) {
	name := strings.TrimPrefix(text, "file:")
	if name != text {
		name = strings.TrimPrefix(name, "//")
	}
	switch {
	case name == "":
		return "", errors.New("want the name of a file")
	case strings.Contains(name, "://"):
		return "", errors.New("only files are read; want PATH or file:PATH")
	case filepath.IsAbs(name):
		return filepath.Clean(name), nil
	}
	return filepath.Join(o.Dir, name), nil
}
