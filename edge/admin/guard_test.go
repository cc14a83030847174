package admin_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/admin"
)

const listenTCP = "127.0.0.1:9901"

func handler(t testing.TB, f *fake, o admin.Options) http.Handler {
	t.Helper()
	if o.Listen == "" {
		o.Listen = listenTCP
	}
	s, err := admin.New(f, o)
	require.NoError(t, err)
	return s.Handler()
}

// ask gives the answer to a request whose target is sent as it is.
func ask(h http.Handler, method, target, body string, fields ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", strings.NewReader(body))
	r.Method = method
	r.Host = listenTCP
	r.RequestURI = target
	u, err := url.ParseRequestURI(target)
	if err != nil {
		u = &url.URL{Path: target}
	}
	r.URL = u
	for i := 0; i < len(fields); i += 2 {
		if fields[i] == "Host" {
			r.Host = fields[i+1]
			continue
		}
		r.Header.Add(fields[i], fields[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestOnlyExactPathsAnswer(t *testing.T) {
	h := handler(t, &fake{}, admin.Options{})
	for target, want := range map[string]int{
		"/v1/status":                 200,
		"/v1/status?x=1":             200,
		"/livez":                     200,
		"/v1/status/":                404,
		"//v1/status":                404,
		"/v1//status":                404,
		"/v1/./status":               404,
		"/v1/../v1/status":           404,
		"/v1/%2e%2e/v1/status":       404,
		"/v1/pools/shop%2Fbackends":  404,
		"/v1/pools/..%2fstatus":      404,
		"/v1/pools/%5c..%5cstatus":   404,
		"/v1/statu%73":               200, // the same name, decoded once
		"/v1/strategies/spread%00":   404,
		"/v1/strategies/spread":      200,
		"/v1/strategies/%73pread":    200,
		"/v1/strategies/spread%2525": 404,
		"/V1/status":                 404,
		"/v1/statusx":                404,
		"/v1":                        404,
		"/":                          404,
		"/debug/pprof/":              404,
		"/metrics":                   404, // none was given
		"http://127.0.0.1/v1/status": 200,
	} {
		t.Run(target, func(t *testing.T) {
			w := ask(h, "GET", target, "")
			assert.Equal(t, want, w.Code, w.Body.String())
			assert.Empty(t, w.Header().Get("Location"), "nothing is redirected")
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			if want != 200 {
				assertProblem(t, w)
			}
		})
	}
}

func assertProblem(t *testing.T, w *httptest.ResponseRecorder) *admin.Problem {
	t.Helper()
	assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	p := &admin.Problem{}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), p), w.Body.String())
	assert.Equal(t, w.Code, p.Status)
	assert.NotEmpty(t, p.Detail)
	return p
}

func TestAMethodThatAPathDoesNotTake(t *testing.T) {
	h := handler(t, &fake{}, admin.Options{Metrics: http.NotFoundHandler()})
	for _, tt := range []struct{ method, path, allow string }{
		{"GET", "/v1/config/reload", "POST"},
		{"GET", "/v1/strategies/spread/swap", "POST"},
		{"POST", "/v1/status", "GET, HEAD"},
		{"DELETE", "/v1/pools/shop/backends/x", "GET, HEAD, PATCH"},
		{"PUT", "/v1/config", "GET, HEAD"},
		{"CONNECT", "/v1/status", "GET, HEAD"},
		{"OPTIONS", "/v1/status", "GET, HEAD"},
		{"POST", "/metrics", "GET, HEAD"},
		{"get", "/v1/status", "GET, HEAD"},
	} {
		w := ask(h, tt.method, tt.path, "")
		assert.Equal(t, 405, w.Code, "%s %s", tt.method, tt.path)
		assert.Equal(t, tt.allow, w.Header().Get("Allow"))
		assertProblem(t, w)
	}
	assert.Equal(t, 200, ask(h, "HEAD", "/v1/status", "").Code)
}

func TestTheTokenIsNeeded(t *testing.T) {
	h := handler(t, &fake{}, admin.Options{Token: "s3cret", Metrics: http.NotFoundHandler()})
	for name, value := range map[string]string{
		"wrong": "Bearer s3cre", "longer": "Bearer s3crett", "none": "Bearer ", "basic": "Basic s3cret",
		"bare": "s3cret", "two spaces": "Bearer  s3cret", "case": "bearer s3cret",
	} {
		w := ask(h, "GET", "/v1/status", "", "Authorization", value)
		assert.Equal(t, 401, w.Code, name)
		assert.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
		assert.NotContains(t, assertProblem(t, w).Error(), "s3cret")
	}
	for _, path := range []string{"/v1/status", "/metrics", "/v1/config", "/v1/none", "/v1/ca"} {
		assert.Equal(t, 401, ask(h, "GET", path, "").Code, path)
	}
	assert.Equal(t, 200, ask(h, "GET", "/v1/status", "", "Authorization", "Bearer s3cret").Code)
	assert.Equal(t, 200, ask(h, "GET", "/livez", "").Code)
	assert.Equal(t, 200, ask(h, "GET", "/readyz", "").Code)
}

func TestAForeignPageCannotAsk(t *testing.T) {
	h := handler(t, &fake{}, admin.Options{Hosts: []string{"wedge.internal"}})
	for name, tt := range map[string]struct {
		fields []string
		want   int
	}{
		"by its address":           {nil, 200},
		"by localhost":             {[]string{"Host", "localhost:9901"}, 200},
		"by IPv6":                  {[]string{"Host", "[::1]:9901"}, 200},
		"by a name that is named":  {[]string{"Host", "WEDGE.internal:9901"}, 200},
		"by a name that is not":    {[]string{"Host", "evil.test:9901"}, 403},
		"by a name that resembles": {[]string{"Host", "localhost.evil.test"}, 403},
		"by none":                  {[]string{"Host", ""}, 403},
		"its own page":             {[]string{"Origin", "http://" + listenTCP}, 200},
		"a foreign page":           {[]string{"Origin", "http://evil.test"}, 403},
		"a page on another port":   {[]string{"Origin", "http://127.0.0.1:8080"}, 403},
		"a sandboxed page":         {[]string{"Origin", "null"}, 403},
		"two origins":              {[]string{"Origin", "http://" + listenTCP, "Origin", "http://evil.test"}, 403},
		"no origin":                {[]string{"Origin", ""}, 403},
		"a cross-site load":        {[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		"a same-site load":         {[]string{"Sec-Fetch-Site", "same-site"}, 403},
		"typed into a browser":     {[]string{"Sec-Fetch-Site", "none"}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, ask(h, "GET", "/v1/status", "", tt.fields...).Code)
			post := ask(h, "POST", "/v1/config/reload", "", tt.fields...)
			assert.Equal(t, tt.want, post.Code)
		})
	}
}

func TestBodiesAreStrictAndBounded(t *testing.T) {
	f := &fake{}
	h := handler(t, f, admin.Options{})
	const swap, patch = "/v1/strategies/spread/swap", "/v1/pools/shop/backends/10.0.1.11:8080"
	for name, tt := range map[string]struct {
		method, path, kind, body string
		want                     int
	}{
		"fine":                {"POST", swap, "application/json; charset=utf-8", `{"use":"x"}`, 200},
		"white space around":  {"POST", swap, "application/json", " {\"use\":\"x\"}\n ", 200},
		"a form":              {"POST", swap, "application/x-www-form-urlencoded", `{"use":"x"}`, 415},
		"text":                {"POST", swap, "text/plain", `{"use":"x"}`, 415},
		"no type":             {"POST", swap, "", `{"use":"x"}`, 415},
		"no body":             {"POST", swap, "application/json", "", 400},
		"not JSON":            {"POST", swap, "application/json", "use: x", 400},
		"cut short":           {"POST", swap, "application/json", `{"use":"x"`, 400},
		"two values":          {"POST", swap, "application/json", `{"use":"x"}{"use":"y"}`, 400},
		"more behind":         {"POST", swap, "application/json", `{"use":"x"}]`, 400},
		"an unknown key":      {"POST", swap, "application/json", `{"use":"x","fuel":1}`, 400},
		"a wrong type":        {"POST", swap, "application/json", `{"use":1}`, 400},
		"module that is none": {"POST", swap, "application/json", `{"use":"x","module":"%%%"}`, 400},
		"deep":                {"POST", swap, "application/json", `{"options":` + strings.Repeat("[", 1e5), 400},
		"a patch":             {"PATCH", patch, "application/json", `{"state":"drain"}`, 200},
		"a patch too large":   {"PATCH", patch, "application/json", `{"state":"a` + strings.Repeat("a", 5000), 413},
		"a patch of nothing":  {"PATCH", patch, "application/json", `{}`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			w := ask(h, tt.method, tt.path, tt.body, "Content-Type", tt.kind)
			assert.Equal(t, tt.want, w.Code, w.Body.String())
			if tt.want != 200 {
				assertProblem(t, w)
			}
		})
	}
	assert.Len(t, f.swapped, 2)
}

// endless is a body of 1 GB of spaces, and counts what was read of it.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.read.Load() >= 1<<30 {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = ' '
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

func TestAGigabyteIsNotRead(t *testing.T) {
	r := serve(t, &fake{}, admin.Options{Listen: "127.0.0.1:0"})
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	send := func(length int64) (int, int64) {
		body := &endless{}
		url := "http://" + r.Address() + "/v1/strategies/spread/swap"
		q, err := http.NewRequestWithContext(t.Context(), "POST", url, io.NopCloser(body))
		require.NoError(t, err)
		q.Header.Set("Content-Type", "application/json")
		q.ContentLength = length
		a, err := transport.RoundTrip(q)
		if err != nil {
			return 0, body.read.Load() // it was cut off while it sent
		}
		defer a.Body.Close()
		return a.StatusCode, body.read.Load()
	}
	code, read := send(1 << 30)
	assert.Contains(t, []int{413, 0}, code)
	assert.Less(t, read, int64(16<<20), "refused by its length")
	code, read = send(-1)
	assert.Contains(t, []int{413, 0}, code)
	assert.Less(t, read, int64(48<<20), "cut off at the bound")
}

// FuzzPath: no spelling of a path that is not the path itself reaches a call.
func FuzzPath(f *testing.F) {
	h := handler(f, &fake{}, admin.Options{})
	for _, p := range []string{"/v1/status", "/v1/%2e/status", "//livez", "/v1/pools/a%2fb", "/v1/\\", "*"} {
		f.Add("GET", p)
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		w := ask(h, method, target, "")
		require.NotContains(t, []int{301, 302, 307, 308, 500}, w.Code)
		if w.Code == 200 {
			require.Equal(t, path.Clean(u.Path), u.Path)
			require.Contains(t, []string{"GET", "HEAD", "POST"}, method)
		}
	})
}
