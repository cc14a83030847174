package affinity_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/affinity"
	"github.com/wedge-lb/wedge/edge/balance"
)

// fields are lines of a message's head.
type fields [][2]string

func (f fields) Get(name string) ([]byte, bool) {
	v, at := f.Next(name, 0)
	return v, at > 0
}

func (f fields) Next(name string, from int) ([]byte, int) {
	for i := from; i < len(f); i++ {
		if strings.EqualFold(f[i][0], name) {
			return []byte(f[i][1]), i + 1
		}
	}
	return nil, 0
}

func sessions(source, learn []string) *affinity.Sessions {
	return &affinity.Sessions{Source: source, Learn: learn, Key: bytes.Repeat([]byte{'s'}, 32)}
}

var rowOne, rowTwo = &balance.Backend{Spec: balance.Spec{ID: "b1"}}, &balance.Backend{Spec: balance.Spec{ID: "b2"}}

// The vectors are of the authors' reference code, key 00..0f and messages 00, 00 01, ...
func TestHashesAreSipHashOf128Bits(t *testing.T) {
	var key [16]byte
	message := make([]byte, 15)
	for i := range key {
		key[i] = byte(i)
	}
	for i := range message {
		message[i] = byte(i)
	}
	for n, want := range map[int]string{
		0: "a3817f04ba25a8e66df67214c7550293",
		1: "da87c1d86b99af44347659119b22fc45",
	} {
		sum := affinity.Siphash(&key, message[:n])
		assert.Equal(t, want, hex.EncodeToString(sum[:]), n)
	}
}

func TestTheFirstSourceThatIsThereNamesTheSession(t *testing.T) {
	o := affinity.Options{Sessions: sessions([]string{"cookie:SID", "header:X-Session", "query:sid"}, nil)}
	a := newAffinity(t, "shop", o)
	find := func(query string, f ...[2]string) affinity.Session {
		return a.FindSession(fields(f), []byte(query), nil, start)
	}
	cookie := func(v string) [2]string { return [2]string{"Cookie", v} }
	one := find("sid=one")
	a.Keep(&one, false, rowOne, start)
	other := find("", [2]string{"x-session", "other"})
	a.Keep(&other, false, rowTwo, start)
	for _, s := range []affinity.Session{
		find("", cookie("SID=one")), find("", cookie("a=1;SID=one;b=2")), find("", cookie(`SID="one"`)),
		find("", cookie("SID="), cookie("SID=one")), find("", [2]string{"X-Session", "one"}),
		find("sid=other", cookie("SID=one"), [2]string{"X-Session", "other"}),
		find("a=1&sid=one&sid=other"), find("sid=&sid=one"), find("sid=%6fn%65"),
	} {
		assert.True(t, s.Present && s.Known)
		assert.Equal(t, "b1", s.Backend)
	}
	for _, s := range []affinity.Session{
		find("SID=one"), find("", cookie("sid=one; XSID=one; SIDX=one")), find("", [2]string{"X-Session", ""}), find("sid"),
	} {
		assert.False(t, s.Present)
	}
	unknown := find("sid=one%2")
	assert.True(t, unknown.Present)
	assert.False(t, unknown.Known)
	assert.Equal(t, 1, a.Pins("b1", start))
	assert.Equal(t, affinity.SessionStats{Entries: 2}, a.SessionStats())
}

func TestASessionThatIsLentStays(t *testing.T) {
	for policy, want := range map[affinity.Policy]string{
		affinity.Repin: "b2", affinity.Borrow: "b1", affinity.Fail: "b2",
	} {
		o := affinity.Options{OnUnavailable: policy, Sessions: sessions([]string{"query:sid"}, []string{"cookie:SID"})}
		a := newAffinity(t, "shop", o)
		find := func() affinity.Session { return a.FindSession(fields{}, []byte("sid=x"), nil, start) }
		s := find()
		a.Keep(&s, false, rowOne, start)
		s = find()
		lent := a.Lends(rowOne, rowTwo)
		a.Keep(&s, lent, rowTwo, start)
		assert.True(t, a.Learn(&s, fields{{"Set-Cookie", "SID=x; Path=/"}}, lent, rowTwo, start))
		assert.Equal(t, want, find().Backend)
		s = find()
		a.Keep(&s, a.Lends(nil, rowTwo), rowTwo, start) // its backend is no more
		assert.Equal(t, "b2", find().Backend)
	}
}

func TestASessionThatWasLentIsNotBegunWhereItWas(t *testing.T) {
	o := affinity.Options{OnUnavailable: affinity.Borrow, Sessions: sessions([]string{"query:sid"}, []string{"cookie:SID"})}
	a := newAffinity(t, "shop", o)
	find := func(id string) affinity.Session { return a.FindSession(fields{}, []byte("sid="+id), nil, start) }
	s := find("x") // its pin is a token, or in another pool
	a.Keep(&s, true, rowTwo, start)
	a.Learn(&s, fields{{"Set-Cookie", "SID=x"}, {"Set-Cookie", "SID=y"}}, true, rowTwo, start)
	assert.False(t, find("x").Known)
	a.Learn(&s, fields{{"Set-Cookie", "SID=y"}}, true, rowTwo, start)
	assert.Equal(t, "b2", find("y").Backend, "but another that began there is")
	y := find("y")
	a.Forget(&s)
	a.Forget(&y)
	assert.False(t, find("y").Known)
}

func TestOnlyWhatAResponseBeginsIsLearnt(t *testing.T) {
	o := affinity.Options{Sessions: sessions([]string{"query:sid"}, []string{"cookie:SID", "header:X-Session"})}
	a := newAffinity(t, "shop", o)
	learn := func(f ...[2]string) bool { return a.Learn(new(affinity.Session), fields(f), false, rowOne, start) }
	assert.False(t, learn())
	assert.False(t, learn([2]string{"Set-Cookie", "SID=; Max-Age=0"}, [2]string{"Cookie", "SID=x"}))
	assert.False(t, learn([2]string{"Set-Cookie", "other=1; SID=x"}))
	assert.True(t, learn([2]string{"Set-Cookie", "other=1"}, [2]string{"Set-Cookie", "SID=x; Path=/"}))
	assert.True(t, learn([2]string{"x-session", "y"}))
	assert.Equal(t, 2, a.Pins("b1", start))
}

func TestSessionsOutliveAConfigurationAndAreOfOnePool(t *testing.T) {
	o := affinity.Options{Sessions: sessions([]string{"query:sid"}, nil)}
	a := newAffinity(t, "shop", o)
	s := a.FindSession(fields{}, []byte("sid=x"), nil, start)
	a.Keep(&s, false, rowOne, start)
	o.Before = a
	b := newAffinity(t, "shop", o, secretB)
	assert.True(t, b.SharesSessions(a))
	assert.Equal(t, "b1", b.FindSession(fields{}, []byte("sid=x"), nil, start).Backend, "whatever the tokens' secrets")
	var file bytes.Buffer
	require.NoError(t, a.SaveSessions(&file, start))
	o.Before = nil
	again := newAffinity(t, "shop", o)
	require.NoError(t, again.LoadSessions(bytes.NewReader(file.Bytes()), start))
	assert.Equal(t, "b1", again.FindSession(fields{}, []byte("sid=x"), nil, start).Backend)
	other := newAffinity(t, "other", o)
	assert.ErrorContains(t, other.LoadSessions(bytes.NewReader(file.Bytes()), start), "another key")
	late := again.FindSession(fields{}, []byte("sid=x"), nil, start.Add(31*time.Minute))
	assert.True(t, late.Present)
	assert.False(t, late.Known)
}

func TestSessionRulesThatAreWrong(t *testing.T) {
	keys, err := affinity.NewKeyring(secretA)
	require.NoError(t, err)
	for want, s := range map[string]*affinity.Sessions{
		"no source":       sessions(nil, nil),
		`"path:x"`:        sessions([]string{"path:x"}, nil),
		`"cookie:"`:       sessions([]string{"cookie:"}, nil),
		`"query:sid"`:     sessions([]string{"query:sid"}, []string{"query:sid"}),
		"key has 3 bytes": {Source: []string{"query:sid"}, Key: []byte("abc")},
	} {
		_, err := affinity.New("p", keys, affinity.Options{Sessions: s})
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "affinity: session:")
	}
}

func TestTheSessionKeyIsKept(t *testing.T) {
	dir := t.TempDir()
	key, err := affinity.LoadSessionKey(dir)
	require.NoError(t, err)
	again, err := affinity.LoadSessionKey(dir)
	require.NoError(t, err)
	assert.Equal(t, key, again)
	info, err := os.Stat(filepath.Join(dir, "sessions.key"))
	require.NoError(t, err)
	assert.EqualValues(t, 0o600, info.Mode().Perm())
	ring, err := affinity.LoadKeyring(dir)
	require.NoError(t, err)
	assert.NotNil(t, ring)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sessions.key"), []byte("x"), 0o600))
	_, err = affinity.LoadSessionKey(dir)
	assert.ErrorContains(t, err, "session key "+filepath.Join(dir, "sessions.key"))
}

// FuzzFindSession: no request makes it panic, and what was kept is found again.
func FuzzFindSession(f *testing.F) {
	a := newAffinity(f, "shop", affinity.Options{Sessions: sessions([]string{"cookie:s", "query:s"}, []string{"cookie:s"})})
	f.Add("a=1; s=2", "s=%20&s", "s=1; Path=/")
	f.Add(`s="`, "%&s=%4", ";;=")
	f.Fuzz(func(t *testing.T, cookie, query, set string) {
		s := a.FindSession(fields{{"cookie", cookie}}, []byte(query), make([]byte, 0, 8), start)
		if s.Present {
			a.Keep(&s, false, rowOne, start)
			require.Equal(t, "b1", a.FindSession(fields{{"cookie", cookie}}, []byte(query), nil, start).Backend)
		}
		a.Learn(&s, fields{{"set-cookie", set}}, false, rowTwo, start)
	})
}
