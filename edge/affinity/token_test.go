package affinity_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/affinity"
)

func TestATokenNamesItsBackendUntilAClockRunsOut(t *testing.T) {
	o := affinity.Options{Idle: 10 * time.Minute, MaxAge: time.Hour}
	a := newAffinity(t, "shop", o)
	for name, tt := range map[string]struct {
		issued, seen time.Duration // before now
		fault        affinity.Fault
	}{
		"fresh":                            {0, 0, affinity.NoFault},
		"used within the idle time":        {50 * time.Minute, 10 * time.Minute, affinity.NoFault},
		"idle for too long":                {50 * time.Minute, 10*time.Minute + time.Second, affinity.Idle},
		"at its greatest age":              {time.Hour, 0, affinity.NoFault},
		"too old, however often used":      {time.Hour + time.Second, 0, affinity.Expired},
		"too old and idle":                 {2 * time.Hour, 2 * time.Hour, affinity.Expired},
		"of an edge whose clock is ahead":  {-24 * time.Hour, -24 * time.Hour, affinity.NoFault},
		"issued in the future":             {-24*time.Hour - time.Second, 0, affinity.Future},
		"seen in the future":               {0, -24*time.Hour - time.Second, affinity.Future},
		"of before this format, 1970":      {1_800_000_000 * time.Second, 0, affinity.Expired},
		"of the last second of its format": {-(1<<32 - 1 - 1_800_000_000) * time.Second, 0, affinity.Future},
	} {
		t.Run(name, func(t *testing.T) {
			text := a.Append(nil, "shop-1", start.Add(-tt.issued), start.Add(-tt.seen))
			var got affinity.Token
			assert.Equal(t, tt.fault == affinity.NoFault, a.Check(&got, text, start))
			assert.Equal(t, tt.fault, got.Fault, got.Fault.String())
			assert.Equal(t, tt.fault == affinity.NoFault, got.Valid)
			if got.Valid {
				assert.Equal(t, "shop-1", string(got.Backend()))
			} else {
				assert.Nil(t, got.Backend())
			}
		})
	}
}

func TestDefaultClocksAreHalfAnHourAndADay(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{})
	var got affinity.Token
	check := func(issued, seen time.Duration) bool {
		got.Reset()
		return a.Check(&got, a.Append(nil, "x", start.Add(-issued), start.Add(-seen)), start)
	}
	assert.True(t, check(24*time.Hour, 30*time.Minute))
	assert.False(t, check(24*time.Hour+time.Second, 0))
	assert.False(t, check(time.Hour, 30*time.Minute+time.Second))
}

func TestKeysRotateWithoutLosingASession(t *testing.T) {
	before := newAffinity(t, "shop", affinity.Options{}, secretA)
	both := newAffinity(t, "shop", affinity.Options{}, secretB, secretA)
	after := newAffinity(t, "shop", affinity.Options{}, secretB)
	var got affinity.Token
	assert.True(t, both.Check(&got, []byte(token(before, "shop-1")), start))
	got.Reset()
	assert.True(t, after.Check(&got, []byte(token(both, "shop-1")), start), "the first key signs")
	got.Reset()
	assert.False(t, after.Check(&got, []byte(token(before, "shop-1")), start))
	assert.Equal(t, affinity.WrongKey, got.Fault)
}

func TestATokenOfOnePoolIsNoneOfAnother(t *testing.T) {
	shop, api := newAffinity(t, "shop", affinity.Options{}), newAffinity(t, "api", affinity.Options{})
	var got affinity.Token
	assert.False(t, api.Check(&got, []byte(token(shop, "b1")), start))
	assert.Equal(t, affinity.Forged, got.Fault)
}

func TestNoChangedTokenIsTaken(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{})
	text := token(a, "shop-1")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	require.NoError(t, err)
	var got affinity.Token
	for bit := range len(raw) * 8 {
		changed := append([]byte(nil), raw...)
		changed[bit/8] ^= 1 << (bit % 8)
		got.Reset()
		require.False(t, a.Check(&got, []byte(base64.RawURLEncoding.EncodeToString(changed)), start), "bit %d", bit)
	}
	for n := range len(text) {
		got.Reset()
		require.False(t, a.Check(&got, []byte(text[:n]), start), "%d bytes", n)
	}
	for name, other := range map[string]string{
		"padded":           text + "=",
		"with a new line":  text[:20] + "\n" + text[20:],
		"a shorter one so": token(a, "b-12")[:20] + "\n" + token(a, "b-12")[20:],
		"of odd length":    text + "A",
		"a long one":       strings.Repeat("A", 10_000),
		"the other base64": strings.NewReplacer("-", "+", "_", "/").Replace(token(a, "shop-1?>~")),
		"none":             "",
	} {
		got.Reset()
		require.False(t, a.Check(&got, []byte(other), start), name)
		require.Equal(t, affinity.Malformed, got.Fault, name)
	}
}

func TestUnusedBitsOfTheLastByteMustBeZero(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{})
	text := []byte(token(a, "b-123"))
	require.Equal(t, 3, len(text)%4) // two unused bits
	accepted := 0
	for c := range 256 {
		text[len(text)-1] = byte(c)
		var got affinity.Token
		if a.Check(&got, text, start) {
			accepted++
		}
	}
	assert.Equal(t, 1, accepted)
}

func TestATokenShowsNothingOfItsBackend(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{})
	id := "10.0.1.11:8080"
	raw, err := base64.RawURLEncoding.DecodeString(token(a, id))
	require.NoError(t, err)
	for n := 2; n <= len(id); n++ {
		for i := 0; i+n <= len(id); i++ {
			assert.NotContains(t, string(raw), id[i:i+n])
		}
	}
	other, err := base64.RawURLEncoding.DecodeString(token(a, "10.0.1.12:8080"))
	require.NoError(t, err)
	same := 0
	for i := range id {
		if raw[len(raw)-len(id)+i] == other[len(other)-len(id)+i] {
			same++
		}
	}
	assert.Less(t, same, len(id)/2, "the mask differs between tokens")
}

func TestIDsOfAnyLengthSurvive(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{})
	for _, n := range []int{1, 2, 31, 32, 33, 64, 100, 254, 255} {
		id := strings.Repeat("é", n)[:n]
		var got affinity.Token
		require.True(t, a.Check(&got, []byte(token(a, id)), start), "%d bytes", n)
		require.Equal(t, id, string(got.Backend()))
	}
	var got affinity.Token
	assert.False(t, a.Check(&got, []byte(token(a, "")), start), "no id, no token")
}

func TestFewTokensOfARequestAreChecked(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{})
	var got affinity.Token
	for range 4 {
		require.False(t, a.Check(&got, []byte("junk"), start))
	}
	require.False(t, a.Check(&got, []byte(token(a, "b1")), start))
	got.Reset()
	require.True(t, a.Check(&got, []byte(token(a, "b1")), start))
}

// reference makes a token by the description in doc.go with crypto/hmac.
func reference(secret []byte, pool, id string, issued uint64, seen uint32) string {
	prf := func(key []byte, parts ...string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(strings.Join(parts, "")))
		return h.Sum(nil)
	}
	derive := func(purpose, pool string) []byte {
		return prf(secret, "wedge affinity v1\x00", purpose, "\x00", pool)
	}
	head := append([]byte{2}, derive("key id", "")[:4]...)
	head = binary.BigEndian.AppendUint64(head, issued)
	head = binary.BigEndian.AppendUint32(head, seen)
	mac := prf(derive("token", pool), string(head), id)[:16]
	masked := []byte(id)
	for i := range masked {
		block := sha256.Sum256(append(append(derive("backend id", pool), mac...), byte(i/32)))
		masked[i] ^= block[i%32]
	}
	return base64.RawURLEncoding.EncodeToString(append(append(head, mac...), masked...))
}

func TestTokensAreAsDescribed(t *testing.T) {
	// Vectors for those who write another edge; they must never change for version 2.
	for _, tt := range []struct{ pool, id, want string }{
		{"shop", "shop-1", "AkkarIsABmUXKJiAAGtJ0jxP7Hl9awVvWbsc-cDdi3BzDXU9teBe"},
		{"api", "10.0.1.11:8080", "AkkarIsABmUXKJiAAGtJ0jwWdwcZwWK0YLQ78SrIPCiWsNVzxQIsZMYtPOdNvYc"},
	} {
		a := newAffinity(t, tt.pool, affinity.Options{})
		got := string(a.Append(nil, tt.id, start, start.Add(time.Minute)))
		assert.Equal(t, tt.want, got)
		assert.Equal(t, reference(secretA, tt.pool, tt.id, 1_800_000_000_000_000, 1_800_000_060), got)
	}
	a := newAffinity(t, "p", affinity.Options{})
	for _, n := range []int{1, 32, 33, 65, 255} {
		id := strings.Repeat("x", n)
		assert.Equal(t, reference(secretA, "p", id, 1_800_000_000_000_000, 1_800_000_000), token(a, id))
	}
}

func TestChecksAndTokensDoNotAllocate(t *testing.T) {
	a := newAffinity(t, "shop", affinity.Options{}, secretB, secretA)
	old := []byte(token(newAffinity(t, "shop", affinity.Options{}, secretA), "shop-1"))
	got := new(affinity.Token)
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		got.Reset()
		a.Check(got, old, start)
	}))
	require.True(t, got.Valid)
	buf := make([]byte, 0, 512)
	assert.Zero(t, testing.AllocsPerRun(1000, func() { a.AppendSetCookie(buf, got, "shop-2", true, start) }))
}

func BenchmarkCheck(b *testing.B) {
	a := newAffinity(b, "shop", affinity.Options{})
	text := []byte(token(a, "shop-1"))
	got := new(affinity.Token)
	b.ReportAllocs()
	for b.Loop() {
		got.Reset()
		a.Check(got, text, start)
	}
}

func BenchmarkAppend(b *testing.B) {
	a := newAffinity(b, "shop", affinity.Options{})
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		a.Append(buf, "shop-1", start, start)
	}
}

// FuzzCheck: no text makes it panic, and only what the pool made is taken.
func FuzzCheck(f *testing.F) {
	a := newAffinity(f, "shop", affinity.Options{}, secretA, secretB)
	f.Add(token(a, "shop-1"))
	f.Add(token(newAffinity(f, "shop", affinity.Options{}, secretB), "b"))
	f.Add(strings.Repeat("A", 379))
	f.Fuzz(func(t *testing.T, text string) {
		var got affinity.Token
		if !a.Check(&got, []byte(text), start) {
			return
		}
		raw, err := base64.RawURLEncoding.DecodeString(text)
		require.NoError(t, err)
		issued, seen := binary.BigEndian.Uint64(raw[5:]), binary.BigEndian.Uint32(raw[13:])
		require.Contains(t, []string{
			reference(secretA, "shop", string(got.Backend()), issued, seen),
			reference(secretB, "shop", string(got.Backend()), issued, seen),
		}, text)
	})
}
