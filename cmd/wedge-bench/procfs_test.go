package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const worker = `1234 (nginx: (worker)) S 1200 1200 900 0 -1 4194368 500 7 0 0 312 645 11 22 20 0 1 0 ` +
	`444372 3133440 396 18446744073709551615 1 2 3 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0`

func TestCPUTimeIsUserSystemAndEndedChildren(t *testing.T) {
	s, err := parseProcStat(worker)
	require.NoError(t, err)
	assert.Equal(t, procStat{group: 1200, cpu: (312 + 645 + 11 + 22) * 10 * time.Millisecond}, s)
}

func TestBrokenStatIsRefused(t *testing.T) {
	for name, line := range map[string]string{
		"nothing":            "",
		"no name":            "1 nginx S 1 1",
		"too short":          "1 (nginx) S 1 2 3 4",
		"a group of letters": strings.Replace(worker, "S 1200 1200", "S 1200 x", 1),
		"a time of letters":  strings.Replace(worker, " 645 ", " x ", 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseProcStat(line)
			assert.Error(t, err)
		})
	}
}

func FuzzProcStat(f *testing.F) {
	f.Add(worker)
	f.Add("1 () S 1 2 3")
	f.Fuzz(func(t *testing.T, line string) {
		s, err := parseProcStat(line)
		if err != nil {
			assert.Zero(t, s)
		}
	})
}

func TestOwnGroupUsesTimeAndMemory(t *testing.T) {
	for begin := time.Now(); time.Since(begin) < 30*time.Millisecond; {
	}
	group, err := syscallGroup()
	require.NoError(t, err)
	cpu, err := groupCPU(group)
	require.NoError(t, err)
	assert.Positive(t, cpu)
	memory, err := groupMemory(group)
	require.NoError(t, err)
	assert.Greater(t, memory, int64(1<<20))
}

func syscallGroup() (int, error) {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, err
	}
	s, err := parseProcStat(string(text))
	return s.group, err
}

func TestResidentMemoryLeavesMappedFilesOut(t *testing.T) {
	n, err := parseResident([]byte("VmRSS:\t  9000 kB\nRssAnon:\t     152 kB\nRssFile:\t  2040 kB\n" +
		"RssShmem:\t  8 kB\n"))
	require.NoError(t, err)
	assert.Equal(t, int64(160<<10), n)
	_, err = parseResident([]byte("VmRSS:\t  9000 kB\n"))
	assert.ErrorContains(t, err, "no RssAnon")
	_, err = parseResident([]byte("RssAnon:\t x kB\nRssShmem:\t 8 kB\n"))
	assert.ErrorContains(t, err, "RssAnon")
}

func TestAProcessorIsBusyUnlessIdleOrWaiting(t *testing.T) {
	const stat = "cpu  351064 62 92156 423734 850 0 16526 163 0 0\n" +
		"cpu0 176130 33 44492 212871 198 0 8533 76 0 0\ncpu1 174933 28 47663 210863 651 0 7993 86 0 0\n"
	busy, err := parseBusy(stat, 1)
	require.NoError(t, err)
	assert.Equal(t, (174933+28+47663+7993+86)*10*time.Millisecond, busy)
	_, err = parseBusy(stat, 2)
	assert.ErrorContains(t, err, "no cpu2")
}
