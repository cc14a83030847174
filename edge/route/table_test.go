package route_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/route"
)

func TestPathsMatchByWholeSegments(t *testing.T) {
	for pattern, paths := range map[string]map[string]bool{
		"":    {"/": true, "/a/b": true, "*": true, "": true},
		"/**": {"/": true, "/a": true, "/a/b/": true, "*": false, "": false},
		"/":   {"/": true, "/a": false, "": false, "//": false},
		"/app/**": {"/app": true, "/app/": true, "/app/a/b": true, "/apple": false, "/ap": false, "/App": false,
			"/": false, "//app": false},
		"/login":  {"/login": true, "/login/": false, "/logi": false, "/login/x": false},
		"/login/": {"/login/": true, "/login": false},
		"/img/*.png": {"/img/a.png": true, "/img/.png": true, "/img/a/b.png": false, "/img/a.png/": false,
			"/img/png": false},
		"/img/a*a": {"/img/aa": true, "/img/aba": true, "/img/a": false},
		"/users/*/posts": {"/users/7/posts": true, "/users//posts": true, "/users/7": false,
			"/users/7/8/posts": false},
		"/users/*/**": {"/users/7": true, "/users/7/x/y": true, "/users": false, "/users/": true},
		"/*":          {"/": true, "/a": true, "/a/": false, "*": false},
		"/*/*":        {"/a/b": true, "/a": false},
		"/a%2Fb":      {"/a%2Fb": true, "/a/b": false},
		"/v*/x/**":    {"/v1/x": true, "/v1/x/y": true, "/v1/xy": false, "/w1/x": false},
	} {
		table := newTable(t, site("s", []string{"*"}, route.Route[string]{Path: pattern}))
		for path, want := range paths {
			t.Run(pattern+" and "+path, func(t *testing.T) {
				m := table.Match(nil, []byte(path), []byte("GET"))
				assert.Equal(t, want, m.Outcome == route.Found)
				if want {
					assert.Equal(t, pattern, m.Route.Target)
				} else {
					assert.Equal(t, route.NoRoute, m.Outcome)
					assert.Equal(t, "s", m.Site.Name)
					assert.Nil(t, m.Route)
				}
			})
		}
	}
}

func TestTheFirstRouteThatMatchesServes(t *testing.T) {
	table := newTable(t, site("s", []string{"*"},
		route.Route[string]{Path: "/app/special"},
		route.Route[string]{Path: "/app/**", Methods: []string{"GET"}},
		route.Route[string]{Path: "/app/special/**"},
		route.Route[string]{Path: "/app/**", Methods: []string{"POST", "GET", "PUT"}},
	))
	for _, tt := range []struct {
		method, path, want string
		outcome            route.Outcome
		allow              string
	}{
		{"GET", "/app/special", "/app/special", route.Found, ""},
		{"GET", "/app/special/x", "/app/**", route.Found, ""},
		{"DELETE", "/app/special/x", "/app/special/**", route.Found, ""},
		{"POST", "/app/x", "/app/**", route.Found, ""},
		{"DELETE", "/app/x", "", route.NoMethod, "GET, POST, PUT"},
		{"HEAD", "/app/x", "", route.NoMethod, "GET, POST, PUT"},
		{"get", "/app/x", "", route.NoMethod, "GET, POST, PUT"},
		{"GET", "/", "", route.NoRoute, ""},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			m := table.Match([]byte("any.test"), []byte(tt.path), []byte(tt.method))
			require.Equal(t, tt.outcome, m.Outcome)
			if tt.want != "" {
				assert.Equal(t, tt.want, m.Route.Target)
				return
			}
			assert.Equal(t, "kept "+tt.allow, string(m.Site.AppendAllow([]byte("kept "), []byte(tt.path))))
		})
	}
}

func TestEveryFaultOfARouteIsToldWithItsPlace(t *testing.T) {
	bad := map[string]string{
		"app":        "begin it with a slash",
		"*":          "begin it with a slash",
		"/a/**/b":    "** may only be the whole last segment",
		"/a**":       "** may only be the whole last segment",
		"/**/**":     "** may only be the whole last segment",
		"/*a*":       "a segment may have one *",
		"/a/../b":    "can never match",
		"/a/.":       "can never match",
		"/a?b":       "no part of the path",
		"/a#b":       "no part of the path",
		"/a b":       "percent-encoded",
		"/ü":         "percent-encoded",
		"/a\x00":     "percent-encoded",
		"/a\\b":      "can never match",
		"/%zz":       "can never match",
		"/%":         "can never match",
		"/%2fx":      "write %2f as %2F",
		"/%41":       "write %41 as A",
		"/a/%2e%2e/": "write %2e as .",
	}
	routes := []route.Route[string]{{Path: "/fine/**"}, {Methods: []string{"get", "", "PO ST"}}}
	for path := range bad {
		routes = append(routes, route.Route[string]{Path: path})
	}
	_, err := route.New([]route.Site[string]{site("shop", []string{"*"}, routes...)})
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	assert.Len(t, lines, len(bad)+1)
	assert.Contains(t, lines[0], `site shop: route 2: method "get"`)
	for path, want := range bad {
		found := false
		for _, l := range lines {
			found = found || strings.Contains(l, fmt.Sprintf("path %q: ", path)) && strings.Contains(l, want)
		}
		assert.True(t, found, "%q: %s\n%v", path, want, err)
	}
}

func TestATableIsNotChangedByItsMakers(t *testing.T) {
	sites := []route.Site[string]{site("s", []string{"*"}, route.Route[string]{Path: "/a"})}
	table := newTable(t, sites...)
	sites[0].Routes[0] = route.Route[string]{Path: "/b"}
	sites[0].Name = "other"
	m := table.Match(nil, []byte("/a"), nil)
	require.Equal(t, route.Found, m.Outcome)
	assert.Equal(t, "s", m.Site.Name)
}

func TestALookupDoesNotAllocate(t *testing.T) {
	table, hosts := manySites(t, 100)
	path, method := []byte("/static/a.css"), []byte("GET")
	long := []byte(strings.Repeat("A.", 127))
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		table.Match(hosts[7], path, method)
		table.Match(long, path, method)
	}))
	m := table.Match(hosts[7], path, method)
	buf := make([]byte, 0, 64)
	assert.Zero(t, testing.AllocsPerRun(1000, func() { m.Site.AppendAllow(buf, path) }))
}

// manySites makes n sites of an exact host and a wildcard, with 4 routes each, and a host of each.
func manySites(t testing.TB, n int) (*route.Table[string], [][]byte) {
	var sites []route.Site[string]
	var hosts [][]byte
	for i := range n {
		name := fmt.Sprintf("shop-%d.example.com", i)
		sites = append(sites, site(name, []string{name, "*." + name},
			route.Route[string]{Path: "/app/**"}, route.Route[string]{Path: "/static/*.css", Methods: []string{"GET"}},
			route.Route[string]{Path: "/users/*/posts"}, route.Route[string]{}))
		hosts = append(hosts, []byte(name+":443"), []byte("www."+name))
	}
	return newTable(t, sites...), hosts
}

func BenchmarkMatch(b *testing.B) {
	table, hosts := manySites(b, 1000)
	path, method := []byte("/users/12345/posts"), []byte("GET")
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if m := table.Match(hosts[i%len(hosts)], path, method); m.Outcome != route.Found {
			b.Fatal(m.Outcome)
		}
		i++
	}
}

// FuzzMatch gives hostile requests to a table with every kind of pattern: it never panics, what it finds is
// consistent, and spellings of one host find one site.
func FuzzMatch(f *testing.F) {
	table := newTable(f,
		site("exact", []string{"shop.example.com", "::1"},
			route.Route[string]{Path: "/app/**", Methods: []string{"GET"}}),
		site("wild", []string{"*.example.com"}, route.Route[string]{Path: "/a*b/*.css"}),
		site("any", []string{"*"}, route.Route[string]{Path: "/x/*/**"}, route.Route[string]{Path: "/"}))
	f.Add("shop.example.com:443", "/app/x", "GET")
	f.Add("[::1]:80", "/aXb/y.css", "POST")
	f.Add("a.b.", "*", "")
	f.Add("[", "", "\x00")
	f.Fuzz(func(t *testing.T, host, path, method string) {
		m := table.Match([]byte(host), []byte(path), []byte(method))
		require.Equal(t, m.Outcome == route.NoSite, m.Site == nil)
		require.Equal(t, m.Outcome == route.Found, m.Route != nil)
		if m.Outcome == route.NoMethod {
			require.Equal(t, "GET", string(m.Site.AppendAllow(nil, []byte(path))))
		}
		upper := []byte(host)
		for i, c := range upper {
			if 'a' <= c && c <= 'z' {
				upper[i] = c - 0x20
			}
		}
		require.Same(t, m.Site, table.Site(upper))
		if m.Site != nil && !strings.Contains(host, ":") && !strings.HasSuffix(host, ".") {
			require.Same(t, m.Site, table.Site([]byte(host+":8080")))
		}
	})
}

// FuzzPattern holds a pattern that is taken to a slow matcher of the documented rules.
func FuzzPattern(f *testing.F) {
	f.Add("/app/**", "/app/x")
	f.Add("/a*b/*", "/aab/")
	f.Add("/**", "*")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		table, err := route.New([]route.Site[string]{site("s", []string{"*"}, route.Route[string]{Path: pattern})})
		if err != nil {
			return
		}
		got := table.Match(nil, []byte(path), nil).Outcome == route.Found
		require.Equal(t, slowMatch(pattern, path), got)
	})
}

func slowMatch(pattern, path string) bool {
	if pattern == "" {
		return true
	}
	want, has := strings.Split(pattern, "/"), strings.Split(path, "/")
	if tail := len(want) - 1; want[tail] == "**" {
		if want = want[:tail]; len(has) < len(want) || path == "" || len(want) == 1 && path[0] != '/' {
			return false
		}
		has = has[:len(want)]
	}
	if len(want) != len(has) {
		return false
	}
	for i := range want {
		before, after, star := strings.Cut(want[i], "*")
		switch {
		case !star && want[i] != has[i]:
			return false
		case len(has[i]) < len(before)+len(after) && star:
			return false
		case star && (!strings.HasPrefix(has[i], before) || !strings.HasSuffix(has[i], after)):
			return false
		}
	}
	return true
}
