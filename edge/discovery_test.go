package edge_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/discover/dnstest"
)

// found is a configuration with one pool whose backends are discovered.
func found(section, strategy string) string {
	return fmt.Sprintf(`strategies:
  s: { use: %s }
pools:
  p:
    strategy: s
    discover: { interval: 100ms, %s }
sites:
  - { hosts: [localhost], routes: [{ pool: p }] }
  - { hosts: ["127.0.0.1"], tls: off, routes: [{ pool: p }] }
`, strategy, section)
}

// loopback are n backends on one port of 127.0.0.1, 127.0.0.2, ... that answer with their addresses.
func loopback(t *testing.T, n int) (list []*httptest.Server, port string) {
	t.Helper()
	var first net.Listener
	for range 50 {
		var all []net.Listener
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		first, all = l, append(all, l)
		_, port, _ = net.SplitHostPort(first.Addr().String())
		for i := 2; i <= n && err == nil; i++ {
			if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.%d:%s", i, port)); err == nil {
				all = append(all, l)
			}
		}
		if err == nil {
			for _, l := range all {
				list = append(list, serveOn(t, l))
			}
			return list, port
		}
		for _, l := range all {
			l.Close()
		}
	}
	require.FailNow(t, "no port on all addresses")
	return nil, ""
}

func serveOn(t *testing.T, l net.Listener) *httptest.Server {
	host, _, _ := net.SplitHostPort(l.Addr().String())
	s := &httptest.Server{Listener: l, Config: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, host) })}}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// servedBy waits until requests are answered by exactly 127.0.0.n.
func servedBy(t *testing.T, r *running, hosts ...int) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no cookies
	want := map[string]bool{}
	for _, n := range hosts {
		want[fmt.Sprintf("127.0.0.%d", n)] = true
	}
	var got map[string]bool
	require.Eventually(t, func() bool {
		got = map[string]bool{}
		for range 20 * len(want) {
			status, body := get(t, c, r.url("plain")+"/")
			require.Equal(t, 200, status)
			got[body] = true
		}
		return maps.Equal(want, got)
	}, 15*time.Second, 10*time.Millisecond, "%v", &got)
}

// steady asks over every protocol until it is told to stop, and then how many requests there were. None may fail.
func steady(t *testing.T, r *running) (stop func() int64) {
	ctx, cancel := context.WithCancel(context.Background())
	var asked, failed atomic.Int64
	var wg sync.WaitGroup
	for _, p := range protocols {
		c := r.client(p)
		wg.Go(func() {
			for ctx.Err() == nil {
				resp, err := c.Get(r.url(p) + "/")
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				if asked.Add(1); err != nil || resp.StatusCode != 200 {
					failed.Add(1)
				}
			}
		})
	}
	t.Cleanup(cancel)
	return func() int64 {
		cancel()
		wg.Wait()
		assert.Zero(t, failed.Load(), "failed requests")
		return asked.Load()
	}
}

func TestADiscoveredPoolFollowsDNSWithoutAFailedRequest(t *testing.T) {
	_, port := loopback(t, 4)
	for name, options := range map[string]string{
		"stateless": "{}", "cookie-sticky": "{}", "ip-affinity": "{}", "consistent-hash": "{ key: client_ip }",
	} {
		t.Run(name, func(t *testing.T) {
			dns := dnstest.Start(t)
			section := fmt.Sprintf("dns: 'api.test:%s', resolver: %q", port, dns.Address())
			dns.Set(addresses(1, 2)...)
			r := start(t, found(section, "builtin/"+name+", options: "+options))
			listed(t, r, port, 1, 2)
			stop := steady(t, r)
			for _, now := range [][]int{{2, 3}, {4}, {1, 4}, {1, 2, 3, 4}} {
				dns.Set(addresses(now...)...)
				listed(t, r, port, now...)
				if name == "stateless" {
					servedBy(t, r, now...)
				}
			}
			assert.Positive(t, stop())
		})
	}
}

// addresses are A records of api.test for 127.0.0.n.
func addresses(hosts ...int) (records []string) {
	for _, n := range hosts {
		records = append(records, fmt.Sprintf("api.test. 0 A 127.0.0.%d", n))
	}
	return records
}

// listed waits until the pool has exactly 127.0.0.n, by their ids.
func listed(t *testing.T, r *running, port string, hosts ...int) {
	t.Helper()
	var want []string
	for _, n := range hosts {
		want = append(want, fmt.Sprintf("127.0.0.%d:%s", n, port))
	}
	var got []string
	c := r.operator()
	require.Eventually(t, func() bool {
		p, err := c.Pool(context.Background(), "p")
		require.NoError(t, err)
		got = nil
		for _, b := range p.Backends {
			got = append(got, b.ID)
		}
		return slices.Equal(want, got)
	}, 15*time.Second, 5*time.Millisecond, "%v", &got)
}
