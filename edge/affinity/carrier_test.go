package affinity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/affinity"
)

func TestCarriersByName(t *testing.T) {
	for name, want := range map[string]affinity.Carrier{
		"": affinity.InCookie, "cookie": affinity.InCookie, "header": affinity.InHeader, "query": affinity.InQuery,
	} {
		got, err := affinity.ParseCarrier(name)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err := affinity.ParseCarrier("pigeon")
	assert.ErrorContains(t, err, `carrier "pigeon"`)
}

func TestFieldsWithAMeaningOfTheirOwnCarryNoToken(t *testing.T) {
	keys, err := affinity.NewKeyring(secretA)
	require.NoError(t, err)
	for _, name := range []string{"Host", "cookie", "Set-Cookie", "Content-Length", "X-Forwarded-For", "a b", "a:"} {
		for _, c := range []affinity.Carrier{affinity.InHeader, affinity.InQuery} {
			_, err := affinity.New("p", keys, affinity.Options{Carrier: c, Header: name})
			assert.ErrorContains(t, err, "affinity: header", name)
		}
	}
	for _, name := range []string{"a b", "a&b", "a=b", "a%20b", "a+b"} {
		_, err := affinity.New("p", keys, affinity.Options{Carrier: affinity.InQuery, Query: name})
		assert.ErrorContains(t, err, "affinity: query", name)
	}
}

func TestTheParameterIsTakenAndTheOthersStay(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{Carrier: affinity.InQuery, Query: "pin"})
	tok := token(a, "shop-1")
	for query, want := range map[string]struct {
		rest               string
		kept, found, valid bool
	}{
		"pin=" + tok:                           {"", false, true, true},
		"pin=" + tok + "&":                     {"", true, true, true},
		"&pin=" + tok:                          {"", true, true, true},
		"a=1&pin=" + tok + "&b=2":              {"a=1&b=2", true, true, true},
		"pin=" + tok + "&a=1":                  {"a=1", true, true, true},
		"a=1&pin=" + tok:                       {"a=1", true, true, true},
		"pin=junk&pin=" + tok + "&pin":         {"", false, true, true},
		"a&&pin=" + tok + "&&%&b=c=d":          {"a&&&%&b=c=d", true, true, true},
		"pin=" + tok[:20] + "&b":               {"b", true, true, false},
		"pinx=" + tok + "&xpin=1&PIN=2&p%69n=": {"pinx=" + tok + "&xpin=1&PIN=2&p%69n=", true, false, false},
		"":                                     {"", true, false, false},
	} {
		var got affinity.Token
		rest, kept, found := a.TakeQuery(&got, nil, []byte(query), start)
		assert.Equal(t, want.rest, string(rest), query)
		assert.Equal(t, want.kept, kept, query)
		assert.Equal(t, want.found, found, query)
		assert.Equal(t, want.valid, got.Valid, query)
		inPlace := []byte(query)
		rest, _, _ = a.TakeQuery(new(affinity.Token), inPlace[:0], inPlace, start)
		assert.Equal(t, want.rest, string(rest), "in place")
	}
}

func TestOnlyTheFirstValidValueOfAFieldCounts(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{Carrier: affinity.InHeader})
	var got affinity.Token
	for _, v := range []string{"junk", token(a, "b1"), token(a, "b2"), "junk"} {
		a.TakeField(&got, []byte(v), start)
	}
	assert.True(t, got.Valid)
	assert.Equal(t, "b1", string(got.Backend()))
	refreshed := string(a.AppendToken(nil, &got, "b1", start.Add(time.Minute)))
	assert.Equal(t, string(a.Append(nil, "b1", start, start.Add(time.Minute))), refreshed, "the pin keeps its age")
	moved := string(a.AppendToken(nil, &got, "b2", start.Add(time.Minute)))
	assert.Equal(t, string(a.Append(nil, "b2", start.Add(time.Minute), start.Add(time.Minute))), moved)
}

func TestEachCarrierLooksInItsPlaceOnly(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{Carrier: affinity.InQuery})
	var got affinity.Token
	_, found := a.Take(&got, nil, []byte("__Host-wedge-shop="+token(a, "b1")), true, start)
	assert.False(t, found)
	a = newAffinity(t, "shop", affinity.Options{})
	_, _, found = a.TakeQuery(&got, nil, []byte("wedge_pin="+token(a, "b1")), start)
	assert.False(t, found)
	assert.False(t, got.Valid)
}

// FuzzTakeQuery holds TakeQuery to a slow one by strings.Split.
func FuzzTakeQuery(f *testing.F) {
	a := newAffinity(f, "shop", affinity.Options{Carrier: affinity.InQuery})
	f.Add("a=1&wedge_pin=" + token(a, "b1") + "&b=2")
	f.Add("wedge_pin&&wedge_pin=x&")
	f.Fuzz(func(t *testing.T, query string) {
		var want []string
		removed := false
		for _, pair := range strings.Split(query, "&") {
			if name, _, _ := strings.Cut(pair, "="); name == "wedge_pin" {
				removed = true
			} else {
				want = append(want, pair)
			}
		}
		rest, kept, found := a.TakeQuery(new(affinity.Token), nil, []byte(query), start)
		require.Equal(t, removed, found)
		require.Equal(t, strings.Join(want, "&"), string(rest))
		if found {
			require.Equal(t, len(want) > 0, kept)
		}
	})
}
