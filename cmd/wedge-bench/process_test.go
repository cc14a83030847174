package main

import (
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestAProcessRunsOnItsProcessorAndIsStopped(t *testing.T) {
	cpu := runtime.NumCPU() - 1
	p, err := startProcess(launch{args: []string{"sh", "-c", "sleep 60 & sleep 60"}}, cpu)
	require.NoError(t, err)
	var set unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(p.group(), &set))
	assert.Equal(t, 1, set.Count())
	assert.True(t, set.IsSet(cpu))
	require.NoError(t, p.ended())
	p.stop()
	assert.ErrorIs(t, p.ended(), errEnded)
	left, err := members(p.group())
	require.NoError(t, err)
	for pid, s := range left {
		assert.Zero(t, s.cpu, "process %d was left", pid) // a killed child may not have been reaped yet
	}
}

func TestAProgramThatIsNotThereIsNamed(t *testing.T) {
	_, err := startProcess(launch{args: []string{"/nonexistent/nginx"}}, 0)
	assert.ErrorContains(t, err, "start nginx")
}

func TestOfAProcessorThatIsNotThereIsTold(t *testing.T) {
	_, err := startProcess(launch{args: []string{"true"}}, maxCPU)
	assert.ErrorContains(t, err, "choose others")
}

func TestSocketsOfAProcess(t *testing.T) {
	a := listener(t)
	before, err := sockets(os.Getpid())
	require.NoError(t, err)
	a.Close()
	after, err := sockets(os.Getpid())
	require.NoError(t, err)
	assert.Len(t, after, len(before)-1)
}

func TestATailKeepsTheEnd(t *testing.T) {
	var out tail
	_, _ = out.Write([]byte(strings.Repeat("a", tailBytes)))
	_, _ = out.Write([]byte("end\n"))
	assert.True(t, strings.HasSuffix(out.String(), "aend"))
	assert.LessOrEqual(t, len(out.String()), tailBytes)
}

func listener(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}
