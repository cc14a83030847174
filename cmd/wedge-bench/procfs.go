package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc: USER_HZ is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// procStat is what counts of /proc/PID/stat (proc(5)).
type procStat struct {
	group int
	cpu   time.Duration // user and system, ended children included
}

// parseProcStat reads one /proc/PID/stat. The name in it may hold spaces and parentheses.
func parseProcStat(line string) (procStat, error) {
	end := strings.LastIndexByte(line, ')')
	if end < 0 {
		return procStat{}, fmt.Errorf("stat %q: no name", line)
	}
	fields := strings.Fields(line[end+1:]) // from field 3, the state
	if len(fields) < 15 {
		return procStat{}, fmt.Errorf("stat %q: %d fields after the name", line, len(fields))
	}
	group, err := strconv.Atoi(fields[2])
	if err != nil {
		return procStat{}, fmt.Errorf("stat: group: %w", err)
	}
	s := procStat{group: group}
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return procStat{}, fmt.Errorf("stat: time: %w", err)
		}
		s.cpu += time.Duration(n) * tick
	}
	return s, nil
}

// members are the processes of a group, with what their stat says.
func members(group int) (map[int]procStat, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	found := map[int]procStat{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s, err := parseProcStat(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if s.group == group {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file))) // digits, by the pattern
			found[pid] = s
		}
	}
	return found, nil
}

// gone tells whether err means that a process ended while it was looked at.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || err != nil && strings.Contains(err.Error(), "no such process")
}

// groupCPU is the CPU time that a process group has used.
func groupCPU(group int) (time.Duration, error) {
	found, err := members(group)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, s := range found {
		sum += s.cpu
	}
	return sum, nil
}

// groupMemory is the resident memory of a process group in bytes, without files that are mapped.
func groupMemory(group int) (int64, error) {
	found, err := members(group)
	if err != nil {
		return 0, err
	}
	var sum int64
	for pid := range found {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, err
		}
		n, err := parseResident(text)
		if err != nil {
			return 0, fmt.Errorf("process %d: %w", pid, err)
		}
		sum += n
	}
	return sum, nil
}

// parseResident adds RssAnon and RssShmem of a /proc/PID/status, in bytes.
func parseResident(status []byte) (int64, error) {
	var sum int64
	seen := 0
	for line := range bytes.Lines(status) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if n := string(name); n != "RssAnon" && n != "RssShmem" {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(string(bytes.TrimSpace(value)), " kB"), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("status: %s: %w", name, err)
		}
		sum += kib << 10
		seen++
	}
	if seen != 2 {
		return 0, errors.New("status: no RssAnon and RssShmem")
	}
	return sum, nil
}

// processorBusy is the time that a processor has worked for anybody.
func processorBusy(cpu int) (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseBusy(string(text), cpu)
}

// parseBusy reads the line of a processor in /proc/stat: user, nice, system, idle, iowait, irq, softirq,
// steal.
func parseBusy(stat string, cpu int) (time.Duration, error) {
	name := "cpu" + strconv.Itoa(cpu)
	for line := range strings.Lines(stat) {
		f := strings.Fields(line)
		if len(f) < 9 || f[0] != name {
			continue
		}
		var sum time.Duration
		for _, i := range []int{1, 2, 3, 6, 7, 8} {
			n, err := strconv.ParseInt(f[i], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("/proc/stat: %s: %w", name, err)
			}
			sum += time.Duration(n) * tick
		}
		return sum, nil
	}
	return 0, fmt.Errorf("/proc/stat: no %s", name)
}
