package http1_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/http1"
)

func TestNormalizePath(t *testing.T) {
	for in, want := range map[string]string{ // "" = refused
		"/":                   "/",
		"/a/b.c/d":            "/a/b.c/d",
		"/%41%7e%2D":          "/A~-",
		"/%c3%a9":             "/%C3%A9",
		"/a%2fb":              "/a%2Fb",
		"/a%5cb":              "/a%5Cb",
		"/a//b":               "/a//b",
		"/...":                "/...",
		"/.well-known/x":      "/.well-known/x",
		"/..a":                "/..a",
		"/a..":                "/a..",
		"/%252e%252e/a":       "/%252e%252e/a",
		"/a%0d%0ab":           "/a%0D%0Ab",
		"/a|b{c}":             "/a|b{c}",
		"/a;x=1":              "/a;x=1",
		"/.":                  "",
		"/..":                 "",
		"/./a":                "",
		"/a/..":               "",
		"/a/../b":             "",
		"/a/%2e%2E/b":         "",
		"/a/.%2e":             "",
		"/a%2f..%2fb":         "",
		"/a%2F%2e%2e":         "",
		"/a%5c..%5cb":         "",
		"/a/..%2fb":           "",
		"/a/..%5Cb":           "",
		"/a/..;/b":            "",
		"/a/..%3bx/b":         "",
		"/a\\..\\b":           "",
		"/a\\b":               "",
		"/%":                  "",
		"/%4":                 "",
		"/%4g":                "",
		"/%u0041":             "",
		"/%00":                "",
		"/a\x00":              "",
		"/a b":                "",
		"/a\tb":               "",
		"/caf\xc3\xa9":        "",
		"/a#b":                "",
		"/a\x7f":              "",
		"":                    "",
		"a":                   "",
		"*":                   "",
		"/a/%2e%2e%2e/b":      "/a/.../b",
		"/%25%32%65":          "/%252e",
		"/a/.%2Fb":            "",
		"/%2e":                "",
		"/a/b/%2e%2e%3b":      "",
		"/a%2f%2e":            "",
		"/a%2f.b":             "/a%2F.b",
		"/%e2%80%ae/..%c0%af": "/%E2%80%AE/..%C0%AF",
	} {
		got, err := http1.NormalizePath([]byte(in))
		if want == "" {
			assert.Error(t, err, in)
			continue
		}
		require.NoError(t, err, in)
		assert.Equal(t, want, string(got), in)
	}
}

// FuzzPath holds the normal form to its promises: it is stable, and no reading of it climbs.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", "/a/%2e./b", "/%41%2f..", "/a/..;x", "/%25%32%65", "/a%5C.", "/%zz"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := http1.NormalizePath(append([]byte(nil), in...))
		if err != nil {
			return
		}
		again, err := http1.NormalizePath(append([]byte(nil), got...))
		require.NoError(t, err)
		require.Equal(t, string(got), string(again))
		requireNoDots(t, got)
	})
}

// requireNoDots is a slow and plain second opinion: decode everything once, cut at every separator.
func requireNoDots(t *testing.T, path []byte) {
	var segment []byte
	check := func() {
		require.NotContains(t, []string{".", ".."}, string(segment), "%q", path)
		segment = segment[:0]
	}
	parameter := false
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' {
			c = nibble(path[i+1])<<4 | nibble(path[i+2])
			i += 2
		}
		switch {
		case c == '/' || c == '\\':
			check()
			parameter = false
		case c == ';' || parameter:
			parameter = true
		default:
			segment = append(segment, c)
		}
	}
	check()
}

func nibble(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
