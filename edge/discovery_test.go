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
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/admin"
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
			dns.Set(addresses(1, 2)...)
			r := start(t, found(dnsSection(port, dns, ""), "builtin/"+name+", options: "+options))
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

func dnsSection(port string, s *dnstest.Server, more string) string {
	return fmt.Sprintf("dns: 'api.test:%s', resolver: %q%s", port, s.Address(), more)
}

// failures awaits n more failed looks.
func failures(t *testing.T, r *running, n int) {
	t.Helper()
	count := func() int { return r.counter("wedge_discovery_failures_total", `pool="p"`) }
	before := count()
	require.Eventually(t, func() bool { return count() >= before+n }, 15*time.Second, 20*time.Millisecond)
}

func TestAPoolKeepsItsBackendsWhileDNSFails(t *testing.T) {
	_, port := loopback(t, 2)
	dns := dnstest.Start(t)
	dns.Set(addresses(1, 2)...)
	r := start(t, found(dnsSection(port, dns, ""), "builtin/stateless"))
	assert.Zero(t, r.counter("wedge_discovery_failures_total", `pool="p"`))
	assert.InDelta(t, time.Now().Unix(), r.counter("wedge_discovery_last_success_timestamp_seconds", `pool="p"`), 60)
	assert.Equal(t, 2, r.counter("wedge_discovery_backends", `pool="p"`))
	stop := steady(t, r)
	dns.Set() // the name is gone
	failures(t, r, 3)
	dns.Stop() // and now the server
	failures(t, r, 3)
	listed(t, r, port, 1, 2)
	servedBy(t, r, 1, 2)
	assert.Positive(t, stop())
	assert.Equal(t, 1, strings.Count(r.log.String(), "api.test: no address"), "told once")
}

func TestAPoolIsEmptyWhileDNSFailsIfItIsToBe(t *testing.T) {
	_, port := loopback(t, 1)
	dns := dnstest.Start(t)
	dns.Set(addresses(1)...)
	r := start(t, found(dnsSection(port, dns, ", on_failure: empty"), "builtin/cookie-sticky"))
	servedBy(t, r, 1)
	dns.Set()
	listed(t, r, port)
	unserved(t, r)
	dns.Set(addresses(1)...)
	listed(t, r, port, 1)
	servedBy(t, r, 1)
}

// unserved requires what an edge without backends answers.
func unserved(t *testing.T, r *running) {
	t.Helper()
	for _, p := range protocols {
		resp, err := r.client(p).Get(r.url(p) + "/")
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, 503, resp.StatusCode, p)
		assert.Equal(t, "1", resp.Header.Get("Retry-After"), p)
	}
}

func TestAnEdgeStartsWithoutItsDNS(t *testing.T) {
	_, port := loopback(t, 2)
	dns := dnstest.Start(t)
	for name, options := range map[string]string{
		"stateless": "{}", "cookie-sticky": "{}", "ip-affinity": "{}", "consistent-hash": "{ key: client_ip }",
	} {
		t.Run(name, func(t *testing.T) {
			dns.Set()
			r := start(t, found(dnsSection(port, dns, ""), "builtin/"+name+", options: "+options))
			unserved(t, r)
			dns.Set(addresses(1)...)
			listed(t, r, port, 1)
			servedBy(t, r, 1)
			assert.Zero(t, r.counter("wedge_strategy_faults_total", ""), "the strategy is not to blame")
		})
	}
}

func TestAServerThatDoesNotAnswerDelaysTheStartForSeconds(t *testing.T) {
	silent := dnstest.Start(t)
	silent.Serve(func(dns.ResponseWriter, *dns.Msg) {})
	begun := time.Now()
	r := start(t, found(dnsSection("80", silent, ""), "builtin/stateless"))
	assert.Less(t, time.Since(begun), 15*time.Second)
	unserved(t, r)
}

func TestPinsFollowTheIDsOfDiscoveredBackends(t *testing.T) {
	_, port := loopback(t, 3)
	dns := dnstest.Start(t)
	dns.Set(addresses(1, 2, 3)...)
	r := start(t, found(dnsSection(port, dns, ""), "builtin/cookie-sticky"))
	people := newCrowd(t, r, 40)
	home := people.visit()
	require.Len(t, unique(home), 3)
	dns.Set(addresses(3, 1)...)
	listed(t, r, port, 1, 3)
	moved := people.visit()
	for i := range home {
		if home[i] == "127.0.0.2" {
			assert.NotEqual(t, home[i], moved[i], "whose backend left is pinned elsewhere")
		} else {
			assert.Equal(t, home[i], moved[i], "whose backend is there stays")
		}
	}
	dns.Set(addresses(2, 3, 1)...)
	listed(t, r, port, 1, 2, 3)
	assert.Equal(t, moved, people.visit(), "and nobody moves when it comes back")
	assert.Contains(t, newCrowd(t, r, 40).visit(), "127.0.0.2")
}

func TestAPinFindsABackendThatCameBack(t *testing.T) {
	_, port := loopback(t, 2)
	dns := dnstest.Start(t)
	dns.Set(addresses(1, 2)...)
	r := start(t, found(dnsSection(port, dns, ""), "builtin/cookie-sticky"))
	people := newCrowd(t, r, 40)
	home := people.visit()
	dns.Set(addresses(1)...)
	listed(t, r, port, 1)
	dns.Set(addresses(2, 1)...)
	listed(t, r, port, 1, 2)
	assert.Equal(t, home, people.visit(), "who did not ask meanwhile has not moved")
}

func TestAnOperatorsWordHoldsForABackendThatComesBack(t *testing.T) {
	_, port := loopback(t, 2)
	dns := dnstest.Start(t)
	dns.Set(addresses(1, 2)...)
	r := start(t, found(dnsSection(port, dns, ""), "builtin/stateless"))
	r.setState("127.0.0.2:"+port, admin.StateMaintenance)
	servedBy(t, r, 1)
	dns.Set(addresses(1)...)
	listed(t, r, port, 1)
	dns.Set(addresses(1, 2)...)
	listed(t, r, port, 1, 2)
	servedBy(t, r, 1)
	r.setState("127.0.0.2:"+port, admin.StateConfigured)
	servedBy(t, r, 1, 2)
}

func TestABackendThatLeftIsForgotten(t *testing.T) {
	_, port := loopback(t, 2)
	dns := dnstest.Start(t)
	dns.Set(addresses(1, 2)...)
	r := start(t, found(dnsSection(port, dns, ""), "builtin/stateless"))
	servedBy(t, r, 1, 2)
	label := fmt.Sprintf(`backend="127.0.0.2:%s"`, port)
	require.Positive(t, r.counter("wedge_upstream_requests_total", label))
	dns.Set(addresses(1)...)
	listed(t, r, port, 1)
	require.Eventually(t, func() bool { return r.counter("wedge_upstream_requests_total", label) == 0 },
		5*time.Second, 5*time.Millisecond, "metrics do not pile up")
}

func TestADiscoveredPoolFollowsSRV(t *testing.T) {
	_, port := loopback(t, 3)
	dns := dnstest.Start(t)
	dns.Set("_api._tcp.test. 0 SRV 1 1 "+port+" a.test.", "a.test. 0 A 127.0.0.1",
		"_api._tcp.test. 0 SRV 2 1 "+port+" b.test.", "b.test. 0 A 127.0.0.2")
	r := start(t, found(fmt.Sprintf("dns_srv: _api._tcp.test, resolver: %q", dns.Address()), "builtin/stateless"))
	at := func(address string) func(admin.Backend) bool {
		return func(b admin.Backend) bool { return b.Address == address+":"+port }
	}
	servedBy(t, r, 1)
	r.await("a.test:"+port, at("127.0.0.1"))
	dns.Set("_api._tcp.test. 0 SRV 1 1 "+port+" a.test.", "a.test. 0 A 127.0.0.3")
	r.await("a.test:"+port, at("127.0.0.3"))
	servedBy(t, r, 3)
}
