package edge_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/discover/dnstest"
)

func TestWhatWasFoundOutlastsARestart(t *testing.T) {
	_, port := loopback(t, 2)
	dns := dnstest.Start(t)
	dns.Set(addresses(1, 2)...)
	dir, err := os.MkdirTemp("", "wedge-test-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	text := head + found(dnsSection(port, dns, ""), "builtin/stateless")
	list := filepath.Join(dir, "discover", "p.json")
	t.Run("as it was found last", func(t *testing.T) {
		r := startAt(t, dir, text)
		dns.Set(addresses(2)...)
		listed(t, r, port, 2)
		require.Eventually(t, func() bool {
			data, err := os.ReadFile(list)
			return err == nil && !strings.Contains(string(data), "127.0.0.1:")
		}, 10*time.Second, 5*time.Millisecond)
		info, err := os.Stat(list)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode())
	})
	dns.Stop()
	t.Run("without DNS", func(t *testing.T) {
		r := startAt(t, dir, text)
		listed(t, r, port, 2)
		servedBy(t, r, 2)
	})
	t.Run("but not for another name", func(t *testing.T) {
		unserved(t, startAt(t, dir, strings.ReplaceAll(text, "api.test", "other.test")))
	})
	t.Run("nor if a failure means that there is none", func(t *testing.T) {
		unserved(t, startAt(t, dir, strings.ReplaceAll(text, "interval:", "on_failure: empty, interval:")))
	})
	t.Run("and a list that is broken is told of", func(t *testing.T) {
		require.NoError(t, os.WriteFile(list, []byte("{"), 0o600))
		r := startAt(t, dir, text)
		unserved(t, r)
		assert.Contains(t, r.log.String(), "backends that were found before are not known")
	})
}

// listFile writes a list of backends beside a file and puts it in its place.
func listFile(t *testing.T, path, port string, hosts ...int) {
	t.Helper()
	text := "[]"
	if len(hosts) > 0 {
		text = ""
	}
	for _, n := range hosts {
		text += fmt.Sprintf("- { url: 'http://127.0.0.%d:%s', labels: { n: '%d' } }\n", n, port, n)
	}
	require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

func TestADiscoveredPoolFollowsAFile(t *testing.T) {
	_, port := loopback(t, 3)
	list := filepath.Join(t.TempDir(), "list.yaml")
	listFile(t, list, port, 1, 2)
	r := start(t, found("file: "+list, "builtin/stateless"))
	stop := steady(t, r)
	servedBy(t, r, 1, 2)
	listFile(t, list, port, 2, 3)
	listed(t, r, port, 2, 3)
	servedBy(t, r, 2, 3)
	require.NoError(t, os.WriteFile(list, []byte("- { url: 'http://127.0.0.1', wieght: 1 }\n"), 0o600))
	failures(t, r, 3)
	assert.Equal(t, 1, strings.Count(r.log.String(), list+":1:30: [0].wieght: unknown key"), "once")
	listed(t, r, port, 2, 3)
	require.NoError(t, os.Remove(list))
	failures(t, r, 2)
	assert.Contains(t, r.log.String(), "no such file")
	listed(t, r, port, 2, 3)
	listFile(t, list, port, 1)
	listed(t, r, port, 1)
	servedBy(t, r, 1)
	assert.Positive(t, stop())
	listFile(t, list, port)
	listed(t, r, port)
	unserved(t, r)
}

func TestAListThatIsBrokenIsRefusedAtStart(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "list.yaml")
	text := head + found("file: list.yaml", "builtin/stateless")
	conf, err := config.Parse("wedge.yaml", []byte(strings.ReplaceAll(text, "STATE", dir)), config.Options{Dir: dir})
	require.NoError(t, err)
	const place = "wedge.yaml:12:40: pools.p.discover.file: "
	for _, tt := range []struct {
		name, text string
		wants      []string
	}{
		{"missing", "", []string{place, "no such file"}},
		{"broken", "- url: http://a/b\n- url: x\n", []string{place + "the list has faults",
			list + ":1:8: [0].url: ", list + ":2:8: [1].url: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.text != "" {
				require.NoError(t, os.WriteFile(list, []byte(tt.text), 0o600))
			}
			_, starting := edge.New(conf, edge.Options{PluginCache: cache})
			checking := edge.Check(context.Background(), conf)
			for _, want := range tt.wants {
				assert.ErrorContains(t, starting, want)
				assert.ErrorContains(t, checking, want)
			}
		})
	}
}

func TestACheckAsksNobody(t *testing.T) {
	dns := dnstest.Start(t)
	dir := t.TempDir()
	text := strings.ReplaceAll(head+found(dnsSection("80", dns, ""), "builtin/consistent-hash, options: { key: path }"),
		"STATE", dir)
	conf, err := config.Parse("wedge.yaml", []byte(text), config.Options{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, edge.Check(context.Background(), conf))
	assert.Zero(t, dns.Asked("udp", "api.test", "A"))
}

func TestAReloadKeepsWhatIsFoundAlike(t *testing.T) {
	_, port := loopback(t, 3)
	dns := dnstest.Start(t)
	dns.Set("api.test. 3600 A 127.0.0.1", "api.test. 3600 A 127.0.0.2")
	r := start(t, found(dnsSection(port, dns, ""), "builtin/stateless"))
	list := filepath.Join(r.dir, "list.yaml")
	stop := steady(t, r)
	reload := func(old, with string) error {
		r.rewrite(old, with)
		return r.Reload(context.Background())
	}
	t.Run("without another look", func(t *testing.T) {
		require.NoError(t, reload("strategy: s\n", "strategy: s\n    retry: { attempts: 2 }\n"))
		listed(t, r, port, 1, 2)
		assert.Equal(t, 1, dns.Asked("udp", "api.test", "A"))
	})
	t.Run("another source is asked", func(t *testing.T) {
		dns.Set("new.test. 3600 A 127.0.0.3")
		require.NoError(t, reload("api.test", "new.test"))
		listed(t, r, port, 3)
		assert.Equal(t, 1, dns.Asked("udp", "new.test", "A"))
	})
	t.Run("one that fails leaves what there is", func(t *testing.T) {
		require.NoError(t, reload("new.test", "none.test"))
		listed(t, r, port, 3)
	})
	t.Run("a file that is not there is refused", func(t *testing.T) {
		err := reload(strings.ReplaceAll(dnsSection(port, dns, ""), "api.test", "none.test"), "file: "+list)
		assert.ErrorContains(t, err, "no such file")
		listed(t, r, port, 3)
	})
	t.Run("a file instead", func(t *testing.T) {
		listFile(t, list, port, 1, 3)
		require.NoError(t, r.Reload(context.Background()))
		listed(t, r, port, 1, 3)
		listFile(t, list, port, 1, 2)
		listed(t, r, port, 1, 2)
	})
	t.Run("a list in the configuration, and nobody watches", func(t *testing.T) {
		require.NoError(t, reload("discover: { interval: 100ms, file: "+list+" }",
			"backends: [{ url: 'http://127.0.0.2:"+port+"' }]"))
		listed(t, r, port, 2)
		listFile(t, list, port, 3)
		servedBy(t, r, 2)
		assert.Zero(t, r.counter("wedge_discovery_backends", `pool="p"`))
	})
	assert.Positive(t, stop())
}

func TestADiscoveredPoolFollowsDocker(t *testing.T) {
	_, port := loopback(t, 3)
	var answer atomic.Pointer[string]
	say := func(hosts ...int) {
		var list []string
		for _, n := range hosts {
			list = append(list, fmt.Sprintf(`{"Names":["/c%d"],"State":"running","Labels":{"wedge":"","wedge.port":%q},
				"NetworkSettings":{"Networks":{"n":{"IPAddress":"127.0.0.%d"}}}}`, n, port, n))
		}
		text := "[" + strings.Join(list, ",") + "]"
		answer.Store(&text)
	}
	say(1)
	dir, err := os.MkdirTemp("", "wedge-docker-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	require.NoError(t, err)
	s := &httptest.Server{Listener: l, Config: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, *answer.Load()) })}}
	s.Start()
	t.Cleanup(s.Close)
	r := start(t, found(fmt.Sprintf("docker: { socket: %q, label: wedge }", l.Addr()), "builtin/stateless"))
	servedBy(t, r, 1)
	say(2, 3)
	servedBy(t, r, 2, 3)
	s.Close()
	failures(t, r, 2)
	servedBy(t, r, 2, 3)
}
