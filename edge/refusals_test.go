package edge_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// logged gives the line of the access log that has a request id.
func (r *running) logged(t *testing.T, id string) map[string]any {
	t.Helper()
	line := map[string]any{}
	require.NotEmpty(t, id)
	require.Eventually(t, func() bool {
		text := regexp.MustCompile(`(?m)^\{.*"request_id":"` + id + `".*\}$`).FindString(r.log.String())
		return text != "" && json.Unmarshal([]byte(text), &line) == nil
	}, 10*time.Second, 5*time.Millisecond)
	return line
}

// What the wire refuses is answered, logged and counted as any other request is.
func TestARefusedRequestLeavesATrace(t *testing.T) {
	_, yaml := named(t, 1)
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
	before := r.counter("wedge_listener_refusals_total", `reason="bad_request"`)
	each(t, r, func(t *testing.T, c *http.Client, url string) {
		q, err := http.NewRequest("TRACE", url+"/a", nil)
		require.NoError(t, err)
		q.Header.Set("Accept", "application/json")
		q.Header.Set("User-Agent", "tracer")
		resp, err := c.Do(q)
		require.NoError(t, err)
		defer resp.Body.Close()
		assert.Equal(t, 405, resp.StatusCode)
		assert.Equal(t, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", resp.Header.Get("Allow"))
		var page struct {
			Status int
			ID     string `json:"request_id"`
		}
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&page))
		assert.Equal(t, 405, page.Status)
		line := r.logged(t, page.ID)
		assert.EqualValues(t, 405, line["status"])
		assert.Equal(t, "127.0.0.1", line["client_ip"])
		assert.Equal(t, "method TRACE", line["error"])
		assert.Contains(t, []string{"h1", "h2", "h3"}, line["protocol"])
	})
	assert.Equal(t, before+4, r.counter("wedge_listener_refusals_total", `reason="bad_request"`))
	assert.Equal(t, 1, r.counter("wedge_listener_refusals_total", `listener="http",reason="bad_request"`))
}

func TestEveryKindOfRefusalOnHTTP1LeavesATrace(t *testing.T) {
	_, yaml := named(t, 1)
	r := start(t, pool(yaml, "builtin/stateless", "{}")+"  - { hosts: [lb.test], routes: [{ pool: p }] }\n")
	r.limited(t, "{ header_timeout: 300ms }")
	const get, accept = "GET /%61b HTTP/1.1\r\nHost: localhost\r\nUser-Agent: me\r\n", "Accept: application/json\r\n"
	for name, tt := range map[string]struct {
		request, status, reason string
		json                    bool
	}{
		"no HTTP":             {"\x16\x03\x01\x00", "400", "invalid method", false},
		"a bad field":         {get + accept + "A@b: c\r\n\r\n", "400", "invalid field name", true},
		"JSON comes too late": {get + "A@b: c\r\n" + accept + "\r\n", "400", "invalid field name", false},
		"a large head":        {get + accept + "A: " + strings.Repeat("a", 40<<10), "431", "head too large", true},
		"a slow head":         {get + accept, "408", "head too slow", true},
		"CONNECT":             {"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", "405", "method CONNECT", false},
		"HEAD":                {"HEAD / HTTP/1.1\r\n\r\n", "400", "no host", false},
	} {
		for _, w := range h1Ways(r) {
			t.Run(name+", "+w.name, func(t *testing.T) {
				if w.name == "TLS" && strings.HasPrefix(tt.request, "\x16") {
					return // it is a bad record there
				}
				c := w.dial(t)
				got := refused(t, c, tt.request)
				assert.Regexp(t, "^HTTP/1.1 "+tt.status+" ", got)
				assert.Contains(t, got, "Connection: close\r\n")
				assert.Contains(t, got, "\r\nDate: ")
				if name == "HEAD" {
					assert.True(t, strings.HasSuffix(got, "\r\n\r\n"), "no body")
					return
				}
				form := `\nrequest id: ([0-9a-f]+)\n$`
				if tt.json {
					form = `"request_id":"([0-9a-f]+)"\}\n$`
				}
				require.Regexp(t, form, got)
				line := r.logged(t, regexp.MustCompile(form).FindStringSubmatch(got)[1])
				assert.Equal(t, tt.reason, line["error"])
				assert.Equal(t, "h1", line["protocol"])
				if tt.json {
					assert.Equal(t, "me", line["user_agent"])
					assert.Equal(t, "/ab", line["path"])
				}
			})
		}
	}
	assert.Equal(t, 2, r.counter("wedge_listener_refusals_total", `reason="timeout"`))
}

// refused sends bytes that no answer is owed to but a refusal, and reads it.
func refused(t *testing.T, c net.Conn, request string) string {
	t.Helper()
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	go io.WriteString(c, request) // the edge may not read all of it
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	return string(got)
}
