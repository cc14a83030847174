package main

import (
	"os"
	"path/filepath"
)

// userStateDir is where an edge without a configuration keeps its state: in XDG_STATE_HOME, or else in
// .local/state of the home directory (XDG Base Directory Specification 0.8).
func userStateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "wedge"), nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "state", "wedge"), err
}
