package edge_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge"
)

// countries writes a database that puts networks into countries.
func countries(t *testing.T, file string, networks map[string]string) {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test-Country", IncludeReservedNetworks: true})
	require.NoError(t, err)
	for network, code := range networks {
		_, n, err := net.ParseCIDR(network)
		require.NoError(t, err)
		require.NoError(t, tree.Insert(n, mmdbtype.Map{
			"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)},
		}))
	}
	var b bytes.Buffer
	_, err = tree.WriteTo(&b)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file+".new", b.Bytes(), 0o600))
	require.NoError(t, os.Rename(file+".new", file))
}

// asker sends one request with fields and gives the answer's body.
func asker(t *testing.T, c *http.Client, method, url string, fields ...string) string {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	require.NoError(t, err)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	a, err := c.Do(r)
	require.NoError(t, err)
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	require.Equal(t, 200, a.StatusCode, string(body))
	return string(body)
}

// world is a configuration with a backend in each of two zones and options of the stateless strategy.
func world(t *testing.T, options string) string {
	t.Helper()
	var yaml string
	for _, zone := range []string{"eu", "us"} {
		b := backend(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, zone) })
		yaml += fmt.Sprintf("      - { id: %s, url: %q, zone: %s, labels: { track: %s-track } }\n",
			zone, b.URL, zone, zone)
	}
	return pool(yaml, "builtin/stateless", options)
}

// answers are who answered n requests.
func answers(t *testing.T, n int, c *http.Client, method, url string, fields ...string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for range n {
		all[asker(t, c, method, url, fields...)] = true
	}
	return all
}

var either = map[string]bool{"eu": true, "us": true}

func only(zone string) map[string]bool { return map[string]bool{zone: true} }

const byCountry = "{ prefer: [{ when: { country: [DE, FR] }, zone: [eu] }, " +
	"{ when: { country: [US] }, zone: us }] }"

func TestRequestsGoToTheZoneOfTheirCountry(t *testing.T) {
	file := filepath.Join(t.TempDir(), "country.mmdb")
	countries(t, file, map[string]string{"192.0.2.0/24": "DE", "198.51.100.0/24": "US", "2001:db8::/32": "FR"})
	r := startWith(t, "  drain_timeout: 5s\n", trusting,
		fmt.Sprintf("geoip: { database: %q }\n", file)+world(t, byCountry))
	for _, p := range protocols {
		t.Run(p, func(t *testing.T) {
			c, url := r.client(p), r.url(p)
			const from = "X-Forwarded-For"
			assert.Equal(t, only("eu"), answers(t, 10, c, "GET", url, from, "192.0.2.1"))
			assert.Equal(t, only("us"), answers(t, 10, c, "GET", url, from, "198.51.100.1"))
			assert.Equal(t, only("eu"), answers(t, 10, c, "GET", url, from, "2001:db8::1"))
			assert.Equal(t, only("us"), answers(t, 10, c, "GET", url, "Forwarded", "for=198.51.100.1"))
			assert.Equal(t, either, answers(t, 10, c, "GET", url, from, "203.0.113.1"), "no country is known")
			assert.Equal(t, either, answers(t, 10, c, "GET", url))
		})
	}
}

func TestAStrangersWordDoesNotChangeItsCountry(t *testing.T) {
	file := filepath.Join(t.TempDir(), "country.mmdb")
	countries(t, file, map[string]string{"127.0.0.0/8": "US", "192.0.2.0/24": "DE"})
	r := start(t, fmt.Sprintf("geoip: { database: %q }\n", file)+world(t, byCountry))
	for _, p := range protocols {
		assert.Equal(t, only("us"), answers(t, 10, r.client(p), "GET", r.url(p), "X-Forwarded-For", "192.0.2.1"), p)
	}
}

func TestAReloadReadsTheDatabaseThatHasChanged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "country.mmdb")
	countries(t, file, map[string]string{"192.0.2.0/24": "DE"})
	r := startWith(t, "  drain_timeout: 5s\n", trusting,
		fmt.Sprintf("geoip: { database: %q }\n", file)+world(t, byCountry))
	c, url := r.client("h2"), r.url("h2")
	ask := func() map[string]bool { return answers(t, 10, c, "GET", url, "X-Forwarded-For", "192.0.2.1") }
	require.Equal(t, only("eu"), ask())
	countries(t, file, map[string]string{"192.0.2.0/24": "US"})
	require.NoError(t, os.Chtimes(file, time.Time{}, time.Now().Add(time.Minute)))
	assert.Equal(t, only("eu"), ask(), "not by itself")
	require.NoError(t, r.Reload(context.Background()))
	assert.Equal(t, only("us"), ask())

	require.NoError(t, os.WriteFile(file, []byte("no database"), 0o600))
	assert.ErrorContains(t, r.Reload(context.Background()), "geoip.database: "+file)
	assert.Equal(t, only("us"), ask(), "what is refused changes nothing")
	r.rewrite(fmt.Sprintf("geoip: { database: %q }\n", file), "")
	require.NoError(t, r.Reload(context.Background()))
	assert.Equal(t, either, ask())
}

func TestADatabaseThatIsNoneIsAFaultWithItsPlace(t *testing.T) {
	r := start(t, world(t, "{}"))
	file := filepath.Join(r.dir, "none.mmdb")
	r.rewrite("tls: { issuer: internal }\n", "tls: { issuer: internal }\ngeoip: { database: none.mmdb }\n")
	for _, says := range []string{"no such file", "invalid MaxMind DB"} {
		conf, err := r.config()
		require.NoError(t, err)
		for _, err := range []error{edge.Check(t.Context(), conf), r.Reload(t.Context())} {
			require.ErrorContains(t, err, "wedge.yaml:7:20: geoip.database: ")
			require.ErrorContains(t, err, says)
		}
		require.NoError(t, os.WriteFile(file, []byte("no database"), 0o600))
	}
}

// The rules of stateless that need no database, through the edge.
func TestRequestsGoWhereTheRulesOfStatelessPrefer(t *testing.T) {
	r := start(t, world(t, `{ prefer: [
      { when: { header: { x-zone: eu } }, zone: eu }, { when: { header: { x-any: "*" } }, zone: us },
      { when: { path: /eu/** }, labels: { track: eu-track } },
      { when: { path: /us }, labels: { track: [us-track] } },
      { when: { method: PUT, path: /put }, zone: [us] }, { when: { path: /nowhere }, zone: mars } ] }`))
	for _, p := range protocols {
		t.Run(p, func(t *testing.T) {
			c, url := r.client(p), r.url(p)
			assert.Equal(t, only("eu"), answers(t, 10, c, "GET", url, "X-Zone", "eu"))
			assert.Equal(t, either, answers(t, 10, c, "GET", url, "X-Zone", "asia"))
			assert.Equal(t, only("us"), answers(t, 10, c, "GET", url, "X-Any", "thing"))
			assert.Equal(t, only("eu"), answers(t, 10, c, "GET", url+"/eu/a/b"))
			assert.Equal(t, only("us"), answers(t, 10, c, "GET", url+"/us"))
			assert.Equal(t, either, answers(t, 10, c, "GET", url+"/us/a"))
			assert.Equal(t, only("us"), answers(t, 10, c, "PUT", url+"/put"))
			assert.Equal(t, either, answers(t, 10, c, "GET", url+"/put"))
			assert.Equal(t, either, answers(t, 10, c, "GET", url+"/nowhere"), "a rule without a backend falls through")
		})
	}
}
