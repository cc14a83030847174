package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sockets are the names of the sockets that a process has open, sorted. A connection that is made again has
// another name: h2load, run for a time, does that and says nothing of it, so it is seen here.
func sockets(pid int) ([]string, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		name, err := os.Readlink(file)
		if err != nil && !gone(err) {
			return nil, err
		}
		if strings.HasPrefix(name, "socket:") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// unbroken refuses a window in which connections came or went, or that did not begin with as many as wanted;
// 0 = any.
func unbroken(from, to []string, wanted int) error {
	switch {
	case wanted == 0:
		return nil
	case len(from) != wanted:
		return fmt.Errorf("%d of %d connections were open", len(from), wanted)
	case len(to) == 0:
		return errors.New("the load ended before its window: this machine is too busy")
	}
	kept := 0
	for _, name := range from {
		if _, ok := slices.BinarySearch(to, name); ok {
			kept++
		}
	}
	if kept != wanted {
		return fmt.Errorf("%d of %d connections broke", wanted-kept, wanted)
	}
	return nil
}
