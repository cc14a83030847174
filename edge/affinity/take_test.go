package affinity_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/affinity"
)

func TestTheTokenIsTakenAndTheOtherCookiesStay(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{})
	tok := token(a, "shop-1")
	own := "__Host-wedge-shop=" + tok
	plain := "wedge-shop=" + tok
	for name, tt := range map[string]struct {
		value, rest  string
		found, valid bool
	}{
		"alone":                         {own, "", true, true},
		"first":                         {own + "; a=1; b=2", "a=1; b=2", true, true},
		"in the middle":                 {"a=1; " + own + "; b=2", "a=1; b=2", true, true},
		"last":                          {"a=1; b=2; " + own, "a=1; b=2", true, true},
		"last, and closed":              {"a=1; " + own + ";", "a=1;", true, true},
		"without spaces":                {"a=1;" + own + ";b=2", "a=1;b=2", true, true},
		"with odd spaces":               {" a=1;  b=2 ;\t" + own + " ; c=3", "a=1;  b=2 ; c=3", true, true},
		"in quotes":                     {`__Host-wedge-shop="` + tok + `"; a="x"`, `a="x"`, true, true},
		"spaces around the name":        {"\t__Host-wedge-shop =" + tok + " ", "", true, true},
		"twice":                         {own + "; a=1; " + own, "a=1", true, true},
		"junk before a good one":        {"__Host-wedge-shop=junk; a=1; " + own, "a=1", true, true},
		"a good one before junk":        {own + "; __Host-wedge-shop=junk", "", true, true},
		"only junk":                     {"a=1; __Host-wedge-shop=junk", "a=1", true, false},
		"junk with equal signs":         {"__Host-wedge-shop==a=b=; a=b=c", "a=b=c", true, false},
		"no value":                      {"__Host-wedge-shop; a=1", "a=1", true, false},
		"the name of plain connections": {plain + "; a=1", "a=1", true, false},
		"an application's cookie":       {"wedge-shop=basket; a=1", "wedge-shop=basket; a=1", false, false},
		"names compare with case":       {"__host-wedge-shop=" + tok, "__host-wedge-shop=" + tok, false, false},
		"a longer name":                 {"x" + own + "; a=1", "x" + own + "; a=1", false, false},
		"a longer name behind":          {"__Host-wedge-shopper=1", "__Host-wedge-shopper=1", false, false},
		"the name as a value":           {"a=__Host-wedge-shop", "a=__Host-wedge-shop", false, false},
		"quotes protect nothing":        {`a="x; ` + own + `; y"`, `a="x; y"`, true, true},
		"empty pairs":                   {";;" + own + ";;a=1", ";;;a=1", true, true},
		"none":                          {"a=1; b=2", "a=1; b=2", false, false},
		"empty":                         {"", "", false, false},
		"any bytes":                     {"a=\xff\x01; " + own + "; \x80=\x7f", "a=\xff\x01; \x80=\x7f", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			var got affinity.Token
			value := []byte(tt.value)
			rest, found := a.Take(&got, nil, value, true, start)
			assert.Equal(t, tt.rest, string(rest))
			assert.Equal(t, tt.found, found)
			assert.Equal(t, tt.valid, got.Valid)
			assert.Equal(t, tt.value, string(value), "the caller's bytes are as before")
			got.Reset()
			rest, _ = a.Take(&got, value[:0], value, true, start)
			assert.Equal(t, tt.rest, string(rest), "in place")
			assert.Equal(t, tt.valid, got.Valid)
		})
	}
}

func TestOverPlainHTTPTheNameHasNoPrefix(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{})
	var got affinity.Token
	value := "wedge-shop=" + token(a, "p") + "; __Host-wedge-shop=" + token(a, "s") + "; a=1"
	rest, found := a.Take(&got, nil, []byte(value), false, start)
	assert.True(t, found)
	assert.Equal(t, "a=1", string(rest))
	assert.Equal(t, "p", string(got.Backend()))
}

func TestTheFirstValidTokenOfSeveralFieldsCounts(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{})
	var got affinity.Token
	for _, v := range []string{"__Host-wedge-shop=junk", "__Host-wedge-shop=" + token(a, "b1"),
		"__Host-wedge-shop=" + token(a, "b2"), "__Host-wedge-shop=junk"} {
		rest, found := a.Take(&got, nil, []byte(v), true, start)
		assert.True(t, found)
		assert.Empty(t, rest)
	}
	assert.True(t, got.Valid)
	assert.Equal(t, "b1", string(got.Backend()))
	assert.Equal(t, affinity.NoFault, got.Fault)
}

func TestAnExpiredTokenIsRemovedToo(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{})
	old := string(a.Append(nil, "b1", start.Add(-48*3600e9), start))
	var got affinity.Token
	rest, found := a.Take(&got, nil, []byte("__Host-wedge-shop="+old+"; a=1"), true, start)
	assert.True(t, found)
	assert.Equal(t, "a=1", string(rest))
	assert.Equal(t, affinity.Expired, got.Fault)
}

func TestManyCopiesCostFewChecks(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{})
	var got affinity.Token
	value := strings.Repeat("__Host-wedge-shop=junk; ", 1000) + "__Host-wedge-shop=" + token(a, "b1")
	rest, found := a.Take(&got, nil, []byte(value), true, start)
	assert.True(t, found)
	assert.Empty(t, rest)
	assert.False(t, got.Valid, "beyond the bound even a good one is not looked at")
}

func TestWithoutAffinityNothingIsTaken(t *testing.T) {
	var a *affinity.Affinity
	var got affinity.Token
	rest, found := a.Take(&got, nil, []byte("a=1"), true, start)
	assert.Equal(t, "a=1", string(rest))
	assert.False(t, found)
	assert.False(t, a.Due(&got, false, nil, start))
	assert.Equal(t, affinity.Repin, a.OnUnavailable())
}

func TestTakeDoesNotAllocate(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{})
	with := []byte("a=1; __Host-wedge-shop=" + token(a, "b1") + "; wedge-shop=basket; b=2")
	without := []byte("a=1; session=0123456789abcdef; b=2")
	got, buf := new(affinity.Token), make([]byte, 0, 512)
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		got.Reset()
		a.Take(got, buf, with, true, start)
		a.Take(got, buf, without, true, start)
	}))
}

func BenchmarkTake(b *testing.B) {
	a := newAffinity(b, "shop", affinity.Options{})
	for name, value := range map[string]string{
		"with":    "theme=dark; __Host-wedge-shop=" + token(a, "shop-1") + "; session=0123456789abcdef01234567",
		"without": "theme=dark; session=0123456789abcdef0123456789abcdef; other=0123456789abcdef0123456789abcdef",
	} {
		b.Run(name, func(b *testing.B) {
			got, buf, value := new(affinity.Token), make([]byte, 0, 512), []byte(value)
			b.ReportAllocs()
			for b.Loop() {
				got.Reset()
				a.Take(got, buf, value, true, start)
			}
		})
	}
}

// FuzzTake holds Take to a slow one by strings.Split: which pairs are left, byte by byte, and that no valid
// token of the pool is among them.
func FuzzTake(f *testing.F) {
	a := newAffinity(f, "shop", affinity.Options{})
	own := "__Host-wedge-shop=" + token(a, "b1")
	f.Add("a=1; "+own+"; b=2", true)
	f.Add(own+";;"+own, true)
	f.Add(`wedge-shop="`+token(a, "b2")+`"; x`, false)
	f.Add("__Host-wedge-shop=; wedge-shop=1;", true)
	f.Fuzz(func(t *testing.T, value string, secure bool) {
		var got affinity.Token
		rest, found := a.Take(&got, nil, []byte(value), secure, start)
		name, other := "__Host-wedge-shop", "wedge-shop"
		if !secure {
			name, other = other, name
		}
		var want []string
		removed := false
		for _, pair := range strings.Split(value, ";") {
			key, content, _ := strings.Cut(pair, "=")
			key, content = strings.Trim(key, " \t"), strings.Trim(content, " \t")
			if n := len(content); n >= 2 && content[0] == '"' && content[n-1] == '"' {
				content = content[1 : n-1]
			}
			var check affinity.Token
			if key == name || key == other && a.Check(&check, []byte(content), start) {
				removed = true
				continue
			}
			if trimmed := strings.Trim(pair, " \t"); trimmed != "" {
				want = append(want, trimmed)
			}
		}
		var left []string
		for _, pair := range strings.Split(string(rest), ";") {
			if trimmed := strings.Trim(pair, " \t"); trimmed != "" {
				left = append(left, trimmed)
			}
		}
		if strings.Count(value, "shop") > 4 {
			return // over the bound of checks the slow one goes on
		}
		require.Equal(t, removed, found)
		require.Equal(t, want, left)
		inPlace := []byte(value)
		again, _ := a.Take(new(affinity.Token), inPlace[:0], inPlace, secure, start)
		require.Equal(t, string(rest), string(again))
		if !found {
			require.Equal(t, value, string(rest))
		}
	})
}
