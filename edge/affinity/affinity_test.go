package affinity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/affinity"
	"github.com/wedge-lb/wedge/edge/balance"
)

func TestTheCookieIsDueOnlyWhenItSaysSomethingNew(t *testing.T) {
	one, two := &balance.Backend{Spec: balance.Spec{ID: "b1"}}, &balance.Backend{Spec: balance.Spec{ID: "b2"}}
	for name, tt := range map[string]struct {
		policy   affinity.Policy
		token    string
		age      time.Duration // since it was made
		pinned   *balance.Backend
		answered *balance.Backend
		want     bool
	}{
		"a new client":                     {affinity.Repin, "", 0, nil, one, true},
		"its backend answered":             {affinity.Repin, "b1", 0, one, one, false},
		"before a quarter of idle":         {affinity.Repin, "b1", 10*time.Minute - time.Second, one, one, false},
		"a quarter of idle has passed":     {affinity.Repin, "b1", 10 * time.Minute, one, one, true},
		"another answered":                 {affinity.Repin, "b1", 0, one, two, true},
		"its backend is unknown":           {affinity.Repin, "gone", 0, nil, two, true},
		"its token is too old":             {affinity.Repin, "b1", 41 * time.Minute, nil, one, true},
		"borrowed":                         {affinity.Borrow, "b1", 0, one, two, false},
		"borrowed, its backend is unknown": {affinity.Borrow, "gone", 0, nil, two, true},
		"back from borrowing":              {affinity.Borrow, "b1", 10 * time.Minute, one, one, true},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAffinity(t, "shop", affinity.Options{Idle: 40 * time.Minute, OnUnavailable: tt.policy})
			var got affinity.Token
			if tt.token != "" {
				a.Check(&got, []byte(token(a, tt.token)), start.Add(tt.age))
			}
			assert.Equal(t, tt.want, a.Due(&got, a.Lends(tt.pinned, tt.answered), tt.answered, start.Add(tt.age)))
		})
	}
}

// Of the tokens of two pools the one that was made last counts, even if two edges' clocks differ.
func TestWhoLeftAPoolIsPinnedLaterInAnother(t *testing.T) {
	shop, other := newAffinity(t, "shop", affinity.Options{}), newAffinity(t, "other", affinity.Options{})
	var before, got affinity.Token
	require.True(t, shop.Check(&before, []byte(token(shop, "b1")), start))
	made := before.Made()
	before.Leave()
	before.Leave()
	assert.False(t, before.Valid)
	for _, now := range []time.Time{start.Add(-time.Hour), start, start.Add(time.Hour)} {
		text := other.AppendToken(nil, &before, "b2", now)
		got.Reset()
		require.True(t, other.Check(&got, text, now))
		assert.Greater(t, got.Made(), made)
		assert.GreaterOrEqual(t, got.Made(), now.UnixMicro())
	}
	before.Reset()
	early := other.AppendToken(nil, &before, "b2", start.Add(-time.Hour))
	require.True(t, other.Check(&got, early, start.Add(-time.Hour)))
	assert.Less(t, got.Made(), made, "the next client has left nothing")
}

func TestARefreshKeepsTheAgeOfThePin(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{Idle: 10 * time.Minute, MaxAge: time.Hour})
	text := token(a, "b1")
	var got affinity.Token
	now := start
	for now.Sub(start) <= time.Hour {
		got.Reset()
		require.True(t, a.Check(&got, []byte(text), now), "after %s", now.Sub(start))
		text = tokenOf(t, a.AppendSetCookie(nil, &got, "b1", true, now))
		now = now.Add(5 * time.Minute)
	}
	got.Reset()
	assert.False(t, a.Check(&got, []byte(text), now))
	assert.Equal(t, affinity.Expired, got.Fault, "however often it was refreshed")
}

func TestAPinToAnotherBackendIsNew(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{})
	var got affinity.Token
	now := start.Add(20 * time.Minute)
	require.True(t, a.Check(&got, []byte(token(a, "b1")), now))
	text := tokenOf(t, a.AppendSetCookie(nil, &got, "b2", true, now))
	assert.Equal(t, string(a.Append(nil, "b2", now, now)), text)
}

// tokenOf is the value within a Set-Cookie value.
func tokenOf(t *testing.T, cookie []byte) string {
	pair, _, _ := strings.Cut(string(cookie), ";")
	_, text, ok := strings.Cut(pair, "=")
	require.True(t, ok)
	return text
}

func TestPoliciesByName(t *testing.T) {
	for name, want := range map[string]affinity.Policy{
		"": affinity.Repin, "repin": affinity.Repin, "borrow": affinity.Borrow, "fail": affinity.Fail,
	} {
		got, err := affinity.ParsePolicy(name)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		a := newAffinity(t, "p", affinity.Options{OnUnavailable: got})
		assert.Equal(t, want == affinity.Fail, a.FailsUnavailable())
	}
	_, err := affinity.ParsePolicy("drop")
	assert.ErrorContains(t, err, `on_unavailable "drop"`)
}

func TestClocksUnderASecondAreRefused(t *testing.T) {
	keys, err := affinity.NewKeyring(secretA)
	require.NoError(t, err)
	_, err = affinity.New("p", keys, affinity.Options{Idle: time.Millisecond})
	assert.ErrorContains(t, err, "idle")
	_, err = affinity.New("p", keys, affinity.Options{MaxAge: -time.Hour})
	assert.ErrorContains(t, err, "max_age")
}
