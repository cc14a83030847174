package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// clientPorts are the ports of the clients that are connected to a port of 127.0.0.1, sorted.
//
// h2load, run for a time, makes broken connections again and says nothing of it: it is seen here.
func clientPorts(port int) ([]int, error) {
	text, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return nil, err
	}
	return parseClients(string(text), port)
}

// parseClients reads /proc/net/tcp: "sl local_address rem_address st …", addresses and ports in hexadecimal.
func parseClients(table string, port int) ([]int, error) {
	const established = "01"
	local := fmt.Sprintf("0100007F:%04X", port)
	var ports []int
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 4 || f[1] != local || f[3] != established {
			continue
		}
		_, hex, _ := strings.Cut(f[2], ":")
		remote, err := strconv.ParseUint(hex, 16, 16)
		if err != nil {
			return nil, fmt.Errorf("/proc/net/tcp: line %q", line)
		}
		ports = append(ports, int(remote))
	}
	slices.Sort(ports)
	return ports, nil
}

// unbroken refuses a window in which clients came or went, or that did not begin with as many as wanted; 0 =
// any.
func unbroken(from, to []int, wanted int) error {
	switch {
	case wanted == 0:
		return nil
	case len(from) != wanted:
		return fmt.Errorf("%d of %d connections were open", len(from), wanted)
	case len(to) == 0:
		return errors.New("the load ended before its window: this machine is too busy")
	case !slices.Equal(from, to):
		kept := 0
		for _, p := range from {
			if _, ok := slices.BinarySearch(to, p); ok {
				kept++
			}
		}
		return fmt.Errorf("%d of %d connections broke", wanted-kept, wanted)
	}
	return nil
}
