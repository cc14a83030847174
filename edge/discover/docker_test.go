package discover_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/discover"
)

// docker serves an API by h on a socket, and gives its name.
func docker(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wedge-docker-") // short: it holds a socket
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(s.Close)
	return socket
}

// container is one of an API's answer, with labels beside the one that is looked for.
func container(name, labels, networks string) string {
	return fmt.Sprintf(`{"Id":"x","Names":["/%s"],"State":"running","Labels":{"wedge.pool":"shop"%s},
		"NetworkSettings":{"Networks":{%s}}}`, name, labels, networks)
}

const one = `"bridge":{"IPAddress":"172.17.0.2"}`

func containers(t *testing.T, o discover.DockerOptions, list ...string) *discover.Docker {
	if o.Label == "" {
		o.Label = "wedge.pool=shop"
	}
	o.Socket = docker(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/containers/json", r.URL.Path)
		assert.JSONEq(t, fmt.Sprintf(`{"label":[%q],"status":["running"]}`, o.Label), r.URL.Query().Get("filters"))
		fmt.Fprint(w, "["+strings.Join(list, ",")+"]")
	})
	return discover.NewDocker(o)
}

func TestRunningContainersWithTheLabelAreMembers(t *testing.T) {
	source := containers(t, discover.DockerOptions{Port: 3000, Scheme: "https"},
		container("web-2", `,"wedge.id":"second","wedge.port":"8080","wedge.weight":"3","wedge.zone":"a",
			"wedge.label.track":"canary","wedge.network":"z"`,
			`"a":{"IPAddress":"10.1.0.2"},"z":{"IPAddress":"10.2.0.2"}`),
		container("web-1", ``, `"none":{"IPAddress":""},"z":{"IPAddress":"10.2.0.1"},"b":{"IPAddress":"10.1.0.1"}`),
		container("web-6", ``, `"six":{"IPAddress":"","GlobalIPv6Address":"2001:db8::6"}`),
		strings.Replace(container("stopped", ``, one), "running", "exited", 1),
		strings.Replace(container("other", ``, one), "shop", "other", 1),
	)
	f := look(t, source)
	assert.NoError(t, f.Missed)
	assert.Equal(t, []discover.Member{
		{ID: "second", Scheme: "https", Address: "10.2.0.2:8080", Weight: 3, Zone: "a",
			Labels: map[string]string{"track": "canary"}},
		{ID: "web-1", Scheme: "https", Address: "10.1.0.1:3000", Weight: 1},
		{ID: "web-6", Scheme: "https", Address: "[2001:db8::6]:3000", Weight: 1},
	}, f.Members)
}

func TestALabelWithoutAValueIsEnough(t *testing.T) {
	f := look(t, containers(t, discover.DockerOptions{Label: "wedge.pool"}, container("a", ``, one)))
	assert.Equal(t, "172.17.0.2:80", f.Members[0].Address)
}

func TestContainersThatCannotBeMembersAreLeftOut(t *testing.T) {
	for name, tt := range map[string]struct{ container, want string }{
		"no address":        {container("b", ``, ``), "no address in its networks"},
		"no such network":   {container("b", `,"wedge.network":"x"`, one), "no address in its networks"},
		"a host's network":  {container("b", ``, `"host":{"IPAddress":""}`), "no address in its networks"},
		"a strange address": {container("b", ``, `"n":{"IPAddress":"0.0.0.0","GlobalIPv6Address":"fe80::1"}`), "no address"},
		"a port of 0":       {container("b", `,"wedge.port":"0"`, one), "label wedge.port: want 1 to 65535"},
		"a port in words":   {container("b", `,"wedge.port":"http"`, one), "label wedge.port: want 1 to 65535"},
		"a large weight":    {container("b", `,"wedge.weight":"1001"`, one), "label wedge.weight: want 1 to 1000"},
		"no id":             {container("", ``, one), "an id is"},
		"a bad id":          {container("b", `,"wedge.id":"a b"`, one), "an id is"},
		"an id twice":       {container("b", `,"wedge.id":"a"`, one), `the id a is that of container "a"`},
		"a long label":      {container("b", `,"wedge.label.x":"`+strings.Repeat("x", 300)+`"`, one), "at most 256 bytes"},
		"a long zone":       {container("b", `,"wedge.zone":"`+strings.Repeat("x", 300)+`"`, one), "at most 256 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			f := look(t, containers(t, discover.DockerOptions{}, tt.container, container("a", ``, one)))
			assert.Equal(t, []string{"a"}, ids(f.Members))
			assert.ErrorContains(t, f.Missed, tt.want)
			if name != "an id twice" {
				assert.Contains(t, fails(t, containers(t, discover.DockerOptions{}, tt.container)), tt.want)
			}
		})
	}
}

func TestDockerThatFails(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"no container": {func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "[]") },
			"no running container has the label wedge.pool"},
		"no list": {func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"message":"x"}`) },
			"not a list of containers"},
		"a status": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }, "status 500"},
		"too much": {func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "["+strings.Repeat(" ", 4<<20)+"]")
		}, "the answer is larger than 4194304 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			socket := docker(t, tt.answer)
			source := discover.NewDocker(discover.DockerOptions{Socket: socket, Label: "wedge.pool"})
			assert.Contains(t, fails(t, source), "docker "+socket+": "+tt.want)
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		source := discover.NewDocker(discover.DockerOptions{Socket: "/nonexistent/socket", Label: "x"})
		assert.Equal(t, "docker /nonexistent/socket: connect: no such file or directory", fails(t, source))
	})
}
