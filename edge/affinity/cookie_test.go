package affinity_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/affinity"
)

func TestTheCookieLooksAsConfigured(t *testing.T) {
	yes, no := true, false
	for name, tt := range map[string]struct {
		cookie     affinity.Cookie
		tls, plain string // TOKEN stands for the token
	}{
		"by default": {affinity.Cookie{},
			"__Host-wedge-shop=TOKEN; Path=/; Secure; HttpOnly; SameSite=Lax",
			"wedge-shop=TOKEN; Path=/; HttpOnly; SameSite=Lax"},
		"with a path": {affinity.Cookie{Path: "/app"},
			"__Secure-wedge-shop=TOKEN; Path=/app; Secure; HttpOnly; SameSite=Lax",
			"wedge-shop=TOKEN; Path=/app; HttpOnly; SameSite=Lax"},
		"with a domain and a life": {affinity.Cookie{Domain: "example.com", MaxAge: time.Hour},
			"__Secure-wedge-shop=TOKEN; Path=/; Domain=example.com; Max-Age=3600; Secure; HttpOnly; SameSite=Lax",
			"wedge-shop=TOKEN; Path=/; Domain=example.com; Max-Age=3600; HttpOnly; SameSite=Lax"},
		"with a name of its own": {affinity.Cookie{Name: "__Host-shop", SameSite: "strict"},
			"__Host-shop=TOKEN; Path=/; Secure; HttpOnly; SameSite=Strict",
			"shop=TOKEN; Path=/; HttpOnly; SameSite=Strict"},
		"for other sites and scripts": {affinity.Cookie{SameSite: "none", Scripts: true},
			"__Host-wedge-shop=TOKEN; Path=/; Secure; SameSite=None",
			"wedge-shop=TOKEN; Path=/"},
		"behind another's TLS": {affinity.Cookie{Secure: &yes},
			"__Host-wedge-shop=TOKEN; Path=/; Secure; HttpOnly; SameSite=Lax",
			"__Host-wedge-shop=TOKEN; Path=/; Secure; HttpOnly; SameSite=Lax"},
		"never secure": {affinity.Cookie{Secure: &no},
			"wedge-shop=TOKEN; Path=/; HttpOnly; SameSite=Lax",
			"wedge-shop=TOKEN; Path=/; HttpOnly; SameSite=Lax"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAffinity(t, "shop", affinity.Options{Cookie: tt.cookie})
			for secure, want := range map[bool]string{true: tt.tls, false: tt.plain} {
				var none affinity.Token
				got := string(a.AppendSetCookie(nil, &none, "b1", secure, start))
				want = strings.Replace(want, "TOKEN", token(a, "b1"), 1)
				assert.Equal(t, want, got)
				parsed, err := http.ParseSetCookie(got)
				require.NoError(t, err)
				require.NoError(t, parsed.Valid())
				_, found := a.Take(&none, nil, []byte(parsed.Name+"="+parsed.Value), secure, start)
				assert.True(t, found)
				assert.Equal(t, "b1", string(none.Backend()), "what was set is taken")
			}
		})
	}
}

func TestACookieThatBrowsersRefuseIsRefused(t *testing.T) {
	no := false
	for name, tt := range map[string]struct {
		cookie affinity.Cookie
		want   string
	}{
		"__Host-, a path":           {affinity.Cookie{Name: "__Host-a", Path: "/b"}, "no domain and no path but /"},
		"__Host-, a domain":         {affinity.Cookie{Name: "__host-a", Domain: "b"}, "no domain and no path but /"},
		"__Secure- but not secure":  {affinity.Cookie{Name: "__Secure-a", Secure: &no}, "only with secure"},
		"none but not secure":       {affinity.Cookie{SameSite: "none", Secure: &no}, "only with secure"},
		"no such same_site":         {affinity.Cookie{SameSite: "Lax"}, `same_site "Lax"`},
		"a name with a semicolon":   {affinity.Cookie{Name: "a;b"}, `name "a;b"`},
		"a name with an equal sign": {affinity.Cookie{Name: "a=b"}, `name "a=b"`},
		"a name with a line end":    {affinity.Cookie{Name: "a\r\nX: y"}, "name "},
		"a name that is a prefix":   {affinity.Cookie{Name: "__Host-"}, "name "},
		"a relative path":           {affinity.Cookie{Path: "app"}, `path "app"`},
		"a path with a semicolon":   {affinity.Cookie{Path: "/a;Secure"}, `path "/a;Secure"`},
		"a path with a line end":    {affinity.Cookie{Path: "/a\n"}, "path "},
		"a domain that is none":     {affinity.Cookie{Domain: "a; b"}, `domain "a; b"`},
		"a life that is negative":   {affinity.Cookie{MaxAge: -1}, "max_age"},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := affinity.NewKeyring(secretA)
			require.NoError(t, err)
			_, err = affinity.New("shop", keys, affinity.Options{Cookie: tt.cookie})
			assert.ErrorContains(t, err, "affinity: cookie: ")
			assert.ErrorContains(t, err, tt.want)
		})
	}
	keys, err := affinity.NewKeyring(secretA)
	require.NoError(t, err)
	_, err = affinity.New("a b", keys, affinity.Options{})
	assert.ErrorContains(t, err, "name", "a pool's name may not fit")
}

func TestAnAnswerThatSetsTheCookieIsPrivate(t *testing.T) {
	for value, want := range map[string]string{
		"":                                 "private",
		"max-age=60":                       "private, max-age=60",
		"public, max-age=60":               "private, max-age=60",
		"Public ,S-MaxAge=9, max-age=60":   "private, max-age=60",
		"s-maxage = 9":                     "private",
		"no-cache":                         "private, no-cache",
		`private="set-cookie, x", public`:  `private, private="set-cookie, x"`,
		`ext="a\", public, b", s-maxage=1`: `private, ext="a\", public, b"`,
		`ext="unclosed, public`:            `private, ext="unclosed, public`,
		",, ,":                             "private",
		"publicly, immutable":              "private, publicly, immutable",
		"private":                          "",
		"max-age=1, PRIVATE":               "",
		"no-store":                         "",
		"x, No-Store , y":                  "",
		`ext="no-store"`:                   `private, ext="no-store"`,
	} {
		t.Run(value, func(t *testing.T) {
			assert.Equal(t, want == "", affinity.Uncacheable([]byte(value)))
			if want != "" {
				got := affinity.AppendPrivate(nil, []byte(value))
				assert.Equal(t, want, string(got))
				assert.True(t, affinity.Uncacheable(got))
			}
		})
	}
	two := affinity.AppendPrivate(nil, []byte("public"))
	two = affinity.AppendDirectives(two, []byte("max-age=5, s-maxage=7"))
	assert.Equal(t, "private, max-age=5", string(two))
}

// FuzzCacheControl: whatever an answer said, what it is made into is uncacheable for shared caches, once.
func FuzzCacheControl(f *testing.F) {
	f.Add("public, max-age=60")
	f.Add(`private="a, b", ext="\"`)
	f.Fuzz(func(t *testing.T, value string) {
		got := affinity.AppendPrivate(nil, []byte(value))
		require.True(t, affinity.Uncacheable(got))
		require.LessOrEqual(t, len(got), len("private")+2*len(value)+2)
	})
}

func TestWhichSetCookieIsThatOfTheTokens(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{})
	for value, want := range map[string][2]bool{ // over TLS, plain
		"__Host-wedge-shop=x; Path=/; Secure": {true, false},
		"wedge-shop=x; Path=/":                {false, true},
		" wedge-shop =x":                      {false, true},
		"wedge-shop":                          {false, true},
		"wedge-shop;Max-Age=0":                {false, true},
		"=wedge-shop=x":                       {false, true},
		" = wedge-shop=x":                     {false, true},
		"wedge-shop2=x":                       {},
		"xwedge-shop=x":                       {},
		"Wedge-Shop=x":                        {},
		"sid=wedge-shop=x":                    {},
		"sid=1; wedge-shop=x":                 {},
		"":                                    {},
		"=":                                   {},
	} {
		assert.Equal(t, want, [2]bool{a.Issues([]byte(value), true), a.Issues([]byte(value), false)}, "%q", value)
	}
	field := newAffinity(t, "shop", affinity.Options{Carrier: affinity.InHeader})
	assert.False(t, field.Issues([]byte("wedge-shop=x"), false), "its tokens are in no cookie")
	var none *affinity.Affinity
	assert.False(t, none.Issues([]byte("wedge-shop=x"), false))
}
