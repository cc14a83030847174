package main

import (
	"os"
	"regexp"
	"runtime"
	"strings"
)

// machine says where figures were taken.
type machine struct {
	Model      string `json:"model"`
	Processors int    `json:"processors"`
	Kernel     string `json:"kernel"`
}

var modelLine = regexp.MustCompile(`(?m)^model name\s*: (.*)$`)

func thisMachine() machine {
	m := machine{Model: runtime.GOARCH, Processors: runtime.NumCPU(), Kernel: runtime.GOOS}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if found := modelLine.FindSubmatch(text); found != nil {
			m.Model = string(found[1])
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel += " " + strings.TrimSpace(string(text))
	}
	return m
}
