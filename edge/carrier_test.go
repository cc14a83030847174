package edge_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pinning is pool with affinity settings.
func pinning(backends, strategy, options, affinity string) string {
	settings := "    strategy: s\n    affinity: " + affinity + "\n"
	return strings.Replace(pool(backends, strategy, options), "    strategy: s\n", settings, 1)
}

// echoes starts n backends, e0, e1, ... that tell who they are and what reached them.
func echoes(t *testing.T, n int) string {
	t.Helper()
	var yaml strings.Builder
	for i := range n {
		s := backend(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Who", fmt.Sprint("e", i))
			w.Header().Set("Target", r.RequestURI)
			w.Header().Set("Saw", fmt.Sprint(r.Header))
			w.Header().Set("Seen-Referer", r.Referer())
		})
		fmt.Fprintf(&yaml, "      - { id: e%d, url: %q }\n", i, s.URL)
	}
	return yaml.String()
}

// send sends a request without cookies; fields are names and values.
func send(t *testing.T, r *running, c *http.Client, protocol, target string, fields ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest("GET", r.url(protocol)+target, nil)
	require.NoError(t, err)
	for i := 0; i < len(fields); i += 2 {
		req.Header.Add(fields[i], fields[i+1])
	}
	resp, err := (&http.Client{Transport: c.Transport, Timeout: c.Timeout}).Do(req)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	resp.Body.Close()
	return resp
}

// A client that keeps no cookies sends back a field.
func TestAFieldCarriesTheToken(t *testing.T) {
	r := start(t, pinning(echoes(t, 3), "builtin/cookie-sticky", "{}", "{ carrier: header, header: X-Pin }"))
	for _, p := range protocols {
		c := r.client(p)
		for range 5 {
			first := send(t, r, c, p, "/")
			token, home := first.Header.Get("X-Pin"), first.Header.Get("Who")
			require.NotEmpty(t, token, p)
			assert.NotContains(t, first.Header, "Set-Cookie")
			assert.Equal(t, "private", first.Header.Get("Cache-Control"))
			for range 4 {
				next := send(t, r, c, p, "/?a=1", "X-Pin", token, "Other", "kept")
				assert.Equal(t, home, next.Header.Get("Who"), p)
				assert.NotContains(t, next.Header, "X-Pin", "a valid token is not told again")
				assert.NotContains(t, strings.ToLower(next.Header.Get("Saw")), "x-pin", "the backend does not see it")
				assert.Contains(t, next.Header.Get("Saw"), "Other:[kept]")
			}
			several := send(t, r, c, p, "/", "X-Pin", "junk", "X-Pin", token, "X-Pin", "junk")
			assert.Equal(t, home, several.Header.Get("Who"), "the first valid one counts")
			assert.NotContains(t, several.Header.Get("Saw"), "junk", "all are taken out")
		}
		junk := send(t, r, c, p, "/", "X-Pin", "junk")
		assert.NotEmpty(t, junk.Header.Get("X-Pin"))
		assert.NotContains(t, junk.Header.Get("Saw"), "junk")
	}
}

// A client that can set neither cookies nor fields puts the token into its links.
func TestAURLParameterCarriesTheToken(t *testing.T) {
	r := start(t, pinning(echoes(t, 3), "builtin/cookie-sticky", "{}", "{ carrier: query }"))
	for _, p := range protocols {
		c := r.client(p)
		first := send(t, r, c, p, "/x?a=1")
		token, home := first.Header.Get("Wedge-Pin"), first.Header.Get("Who")
		require.NotEmpty(t, token, p)
		assert.Equal(t, "private", first.Header.Get("Cache-Control"))
		for query, left := range map[string]string{
			"?wedge_pin=" + token:                                      "",
			"?a=1&wedge_pin=" + token + "&b=2":                         "?a=1&b=2",
			"?wedge_pin=" + token + "&a=%2f+&&b":                       "?a=%2f+&&b",
			"?a=1&wedge_pin=junk&b&wedge_pin=" + token + "&wedge_pin=": "?a=1&b",
		} {
			next := send(t, r, c, p, "/x"+query, "Referer", "https://localhost/y"+query)
			assert.Equal(t, home, next.Header.Get("Who"), "%s %s", p, query)
			assert.Equal(t, "/x"+left, next.Header.Get("Target"), p)
			assert.Equal(t, "https://localhost/y"+left, next.Header.Get("Seen-Referer"))
			assert.NotContains(t, next.Header, "Wedge-Pin")
		}
		other := send(t, r, c, p, "/x?xwedge_pin=1&wedge_pinx=2&WEDGE_PIN=3", "Referer", "https://localhost/y?z=%41")
		assert.Equal(t, "/x?xwedge_pin=1&wedge_pinx=2&WEDGE_PIN=3", other.Header.Get("Target"))
		assert.Equal(t, "https://localhost/y?z=%41", other.Header.Get("Seen-Referer"))
	}
	assert.NotContains(t, r.log.String(), "wedge_pin=A", "nor does the access log have it")
}

func TestTokensSurviveKeyRotationOnEveryCarrier(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"one": strings.Repeat("1", 32), "two": strings.Repeat("2", 32)} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	one, two := `"${file:`+dir+`/one}"`, `"${file:`+dir+`/two}"`
	for carrier, field := range map[string]string{"cookie": "Set-Cookie", "header": "Wedge-Pin", "query": "Wedge-Pin"} {
		settings := fmt.Sprintf("{ carrier: %s, secrets: [%s] }", carrier, one)
		r := start(t, pinning(echoes(t, 3), "builtin/cookie-sticky", "{}", settings))
		home := map[[2]string]string{} // by protocol and token
		for _, p := range protocols {
			for range 5 {
				resp := send(t, r, r.client(p), p, "/")
				token, _, _ := strings.Cut(resp.Header.Get(field), ";")
				home[[2]string{p, token}] = resp.Header.Get("Who")
			}
		}
		r.rewrite("["+one, "["+two+", "+one)
		require.NoError(t, r.Reload(context.Background()))
		for at, backend := range home {
			target, fields := "/", []string{"Cookie", at[1]}
			switch carrier {
			case "header":
				fields[0] = "Wedge-Pin"
			case "query":
				target, fields = "/?wedge_pin="+at[1], nil
			}
			resp := send(t, r, r.client(at[0]), at[0], target, fields...)
			assert.Equal(t, backend, resp.Header.Get("Who"), "%s over %s", carrier, at[0])
			assert.Empty(t, resp.Header.Get(field), "the old key verifies")
		}
	}
}

// The edge checks the clocks itself: what a client keeps for longer is of no use to it.
func TestTokensEndByTheClocksOfThePool(t *testing.T) {
	for _, clock := range []string{"idle: 1s", "max_age: 1s"} {
		settings := "{ carrier: header, " + clock + " }"
		r := start(t, pinning(echoes(t, 2), "builtin/cookie-sticky", "{}", settings))
		tokens := map[string]string{}
		began := time.Now()
		for _, p := range protocols {
			tokens[p] = send(t, r, r.client(p), p, "/").Header.Get("Wedge-Pin")
		}
		for _, p := range protocols {
			client := r.client(p)
			require.Eventually(t, func() bool {
				before := strings.Count(r.log.String(), `"outcome":"`)
				send(t, r, client, p, "/", "Wedge-Pin", tokens[p])
				lines := func() []string { return strings.Split(r.log.String(), `"outcome":"`)[1:] }
				require.Eventually(t, func() bool { return len(lines()) > before }, 5*time.Second, time.Millisecond)
				return strings.HasPrefix(lines()[before], "new")
			}, 10*time.Second, 50*time.Millisecond, "%s over %s", clock, p)
		}
		assert.GreaterOrEqual(t, time.Since(began), time.Second)
	}
}

// Only the edge tells tokens: what a backend says under their name does not reach the client, be it in the answer, in
// an interim one or in trailers.
func TestABackendTellsNoToken(t *testing.T) {
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for _, name := range []string{"wedge-p", "__Host-wedge-p", "sid"} {
			h.Add("Set-Cookie", name+"=forged; Path=/")
		}
		h.Set("Wedge-Pin", "forged")
		h.Set("Link", "</x>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "page")
		w.(http.Flusher).Flush() // chunked, or it could have no trailers
		h.Set(http.TrailerPrefix+"Wedge-Pin", "forged")
		h.Set(http.TrailerPrefix+"Sum", "1")
	})
	yaml := fmt.Sprintf("      - { id: e0, url: %q }\n", b.URL)
	for carrier, strategy := range map[string]string{
		"cookie": "cookie-sticky", "header": "cookie-sticky", "query": "stateless",
	} {
		r := start(t, pinning(yaml, "builtin/"+strategy, "{}", "{ carrier: "+carrier+" }"))
		for _, p := range protocols {
			resp, early := hinted(t, r, p)
			assert.Equal(t, "1", resp.Trailer.Get("Sum"), "%s over %s", carrier, p)
			require.NotEmpty(t, early)
			for _, h := range []http.Header{http.Header(early), resp.Header, resp.Trailer} {
				assertNoForgery(t, carrier, p, h)
			}
			assert.Contains(t, strings.Join(resp.Header["Set-Cookie"], "\n"), "sid=forged", "others are the backend's to set")
		}
	}
}

// hinted sends a request and gives the answer and the fields of the interim one.
func hinted(t *testing.T, r *running, protocol string) (resp *http.Response, early textproto.MIMEHeader) {
	t.Helper()
	trace := &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error { early = h; return nil }}
	req, err := http.NewRequest("GET", r.url(protocol)+"/", nil)
	require.NoError(t, err)
	resp, err = r.client(protocol).Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp, early
}

func assertNoForgery(t *testing.T, carrier, protocol string, h http.Header) {
	t.Helper()
	if carrier != "cookie" {
		assert.NotContains(t, h.Values("Wedge-Pin"), "forged", "%s over %s", carrier, protocol)
		return
	}
	name := "__Host-wedge-p=forged"
	if protocol == "plain" {
		name = "wedge-p=forged"
	}
	for _, line := range h.Values("Set-Cookie") {
		assert.False(t, strings.HasPrefix(line, name), "%s: %s", protocol, line)
	}
}
