package plugin_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/plugin"
	"github.com/wedge-lb/wedge/sdk/abi"
)

var secret = [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

// need is one entry of the options of the module echo.
func need(kind abi.Kind, form abi.Form, name string) string {
	return string([]byte{byte(kind), byte(form), byte(len(name))}) + name
}

// echo is a guest whose picks answer with their frame.
func echo(t testing.TB, set *balance.Set, needs ...string) *plugin.Guests {
	return bind(t, load(t, newHost(t, plugin.Options{}), wat(t, "echo")), plugin.Binding{
		Set: set, Options: []byte(strings.Join(needs, "")), Secret: secret, Grants: []string{"header:cookie"},
		Instances: 1,
	})
}

func frameOf(t testing.TB, g *plugin.Guests, r *balance.Request) []byte {
	var d balance.Decision
	require.NoError(t, g.Pick(r, nil, &d))
	require.Equal(t, balance.Respond, d.Verdict)
	require.Equal(t, "text/plain", string(d.ContentType))
	return d.Body
}

func u32(frame []byte, at int) uint32 { return binary.LittleEndian.Uint32(frame[at:]) }

// slot is the value of a slot; false if it is absent.
func slot(t testing.TB, frame []byte, n int) (string, bool) {
	at := abi.RequestSpans + abi.SpanSize*n
	off, length := u32(frame, at+abi.SpanOff), u32(frame, at+abi.SpanLen)
	if length == abi.Absent {
		return "", false
	}
	require.LessOrEqual(t, uint64(off)+uint64(length), uint64(len(frame)))
	return string(frame[off : off+length]), true
}

func TestAGuestSeesWhatItDeclared(t *testing.T) {
	v4 := netip.MustParseAddr("192.0.2.7").As16()
	const hash, raw = abi.FormHash, abi.FormRaw
	for name, tt := range map[string]struct {
		need  string
		value string
		ok    bool
	}{
		"client_ip":                {need(abi.KindClientIP, raw, ""), string(v4[:]), true},
		"method":                   {need(abi.KindMethod, raw, ""), "GET", true},
		"scheme":                   {need(abi.KindScheme, raw, ""), "https", true},
		"authority":                {need(abi.KindAuthority, raw, ""), "shop.example.com", true},
		"path":                     {need(abi.KindPath, raw, ""), "/cart", true},
		"query":                    {need(abi.KindQuery, raw, ""), "a=1&sid=42", true},
		"header":                   {need(abi.KindHeader, raw, "X-Tenant-Id"), "acme", true},
		"absent header":            {need(abi.KindHeader, raw, "x-other"), "", false},
		"cookie, the first":        {need(abi.KindCookie, raw, "sid"), "s3cr3t", true},
		"another cookie":           {need(abi.KindCookie, raw, "theme"), "dark", true},
		"cookie, part of a name":   {need(abi.KindCookie, raw, "id"), "", false},
		"cookie, case counts":      {need(abi.KindCookie, raw, "SID"), "", false},
		"query_param":              {need(abi.KindQueryParam, raw, "sid"), "42", true},
		"absent query_param":       {need(abi.KindQueryParam, raw, "s"), "", false},
		"protocol":                 {need(abi.KindProtocol, raw, ""), "h2", true},
		"sni":                      {need(abi.KindSNI, raw, ""), "shop.example.com", true},
		"country":                  {need(abi.KindCountry, raw, ""), "NZ", true},
		"route":                    {need(abi.KindRoute, raw, ""), "main", true},
		"hashed path":              {need(abi.KindPath, hash, ""), sip("/cart"), true},
		"hashed route":             {need(abi.KindRoute, hash, ""), sip("main"), true},
		"hashed client_ip":         {need(abi.KindClientIP, hash, ""), sip(string(v4[:])), true},
		"hashed cookie":            {need(abi.KindCookie, hash, "sid"), sip("s3cr3t"), true},
		"hash of an absent cookie": {need(abi.KindCookie, hash, "none"), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			frame := frameOf(t, echo(t, newPool(1).Set(), tt.need), request())
			require.EqualValues(t, 1, u32(frame, abi.RequestSlots))
			value, ok := slot(t, frame, 0)
			assert.Equal(t, tt.ok, ok)
			assert.Equal(t, tt.value, value)
		})
	}
}

// asked counts how often it is asked for a country.
type asked int

func (a *asked) Country(netip.Addr) string {
	*a++
	return "NZ"
}

func TestTheCountryIsLookedUpForThoseWhoWantItOnly(t *testing.T) {
	for name, tt := range map[string]struct {
		kind abi.Kind
		want asked
	}{"country": {abi.KindCountry, 1}, "route": {abi.KindRoute, 0}, "client_ip": {abi.KindClientIP, 0}} {
		t.Run(name, func(t *testing.T) {
			var countries asked
			r := request()
			r.Country, r.Locator = "", &countries
			frame := frameOf(t, echo(t, newPool(1).Set(), need(tt.kind, abi.FormRaw, "")), r)
			assert.Equal(t, tt.want, countries)
			if value, _ := slot(t, frame, 0); tt.want > 0 {
				assert.Equal(t, "NZ", value)
			}
		})
	}
}

// sip is the hash that a guest sees.
func sip(s string) string {
	return string(binary.LittleEndian.AppendUint64(nil, plugin.SipHash(&secret, []byte(s))))
}

func TestAnEmptyRequestShowsNothing(t *testing.T) {
	var needs []string
	for k := abi.KindClientIP; k.Valid(); k++ {
		name := ""
		if k.Named() {
			name = "n"
		}
		needs = append(needs, need(k, abi.FormRaw, name), need(k, abi.FormHash, name))
	}
	frame := frameOf(t, echo(t, newPool(1).Set(), needs...), &balance.Request{})
	require.EqualValues(t, len(needs), u32(frame, abi.RequestSlots))
	for n := range needs {
		_, ok := slot(t, frame, n)
		assert.False(t, ok, "slot %d", n)
	}
	assert.Len(t, frame, abi.RequestSpans+abi.SpanSize*len(needs))
}

func TestAnEmptyValueIsNotAnAbsentOne(t *testing.T) {
	g := echo(t, newPool(1).Set(), need(abi.KindHeader, abi.FormRaw, "x"), need(abi.KindQuery, abi.FormRaw, ""))
	frame := frameOf(t, g, &balance.Request{Header: headers{"x": ""}, HasQuery: true})
	for n := range 2 {
		value, ok := slot(t, frame, n)
		assert.True(t, ok)
		assert.Empty(t, value)
	}
}

func TestLongAttributesAreCutAndHashesAreNot(t *testing.T) {
	long := bytes.Repeat([]byte("p"), 70_000)
	g := echo(t, newPool(1).Set(), need(abi.KindHeader, abi.FormRaw, "x"), need(abi.KindPath, abi.FormRaw, ""),
		need(abi.KindQuery, abi.FormRaw, ""), need(abi.KindPath, abi.FormHash, ""))
	frame := frameOf(t, g, &balance.Request{
		Path: long, Query: long, HasQuery: true, Header: headers{"x": "first"},
	})
	assert.Len(t, frame, abi.MaxRequest)
	first, _ := slot(t, frame, 0)
	assert.Equal(t, "first", first)
	path, ok := slot(t, frame, 1)
	assert.True(t, ok)
	assert.Len(t, path, abi.MaxRequest-abi.RequestSpans-4*abi.SpanSize-len("first")-abi.HashSize)
	query, ok := slot(t, frame, 2)
	assert.True(t, ok, "a value without room is there, and empty")
	assert.Empty(t, query)
	hash, _ := slot(t, frame, 3)
	assert.Equal(t, sip(string(long)), hash, "of the whole value")
}

func TestPinnedAndExcludedAreRowsOfTheGuestsOwnTable(t *testing.T) {
	pool := newPool(4)
	g := echo(t, pool.Set())
	old := pool.Set()
	pool.Update(append(specs(4), balance.Spec{ID: "a", Address: "x"}, balance.Spec{ID: "z", Address: "x"}))
	now := pool.Set()
	for name, set := range map[string]*balance.Set{"the same table": old, "a newer table": now} {
		t.Run(name, func(t *testing.T) {
			frame := frameOf(t, g, &balance.Request{
				Attempt: 2, Pinned: set.Find("b2"),
				Excluded: []*balance.Backend{set.Find("b3"), now.Find("z"), set.Find("b0")},
			})
			assert.EqualValues(t, 2, u32(frame, abi.RequestAttempt))
			assert.EqualValues(t, 1+2, u32(frame, abi.RequestPinned))
			require.EqualValues(t, 2, u32(frame, abi.RequestExcludedCount), "z is not in the guest's table")
			at := int(u32(frame, abi.RequestExcludedOff))
			assert.EqualValues(t, 3, u32(frame, at))
			assert.EqualValues(t, 0, u32(frame, at+4))
		})
	}
}

func TestTheTableHasEveryRow(t *testing.T) {
	pool := balance.NewPool("shop")
	pool.Update([]balance.Spec{
		{ID: "two", Address: "10.0.0.2:80", Weight: 7, Zone: "b", Condition: balance.Drain,
			Labels: map[string]string{"track": "canary", "a": "", "bad": "a\x00b", "wedge.weight": "9"}},
		{ID: "one", Address: "10.0.0.1:80"},
	})
	require.NoError(t, pool.SetUp("one", false))
	frame := frameOf(t, echo(t, pool.Set()), &balance.Request{Attempt: 99})
	assert.Equal(t, pool.Set().Version, u32(frame, abi.BackendsVersion))
	require.EqualValues(t, 2, u32(frame, abi.BackendsCount))
	field := func(row, at int) string {
		at += abi.BackendsRecords + abi.RecordSize*row
		off, length := u32(frame, at), u32(frame, at+4)
		return string(frame[off : off+length])
	}
	number := func(row, at int) uint32 { return u32(frame, abi.BackendsRecords+abi.RecordSize*row+at) }
	assert.Equal(t, "one", field(0, abi.RecordID), "rows are in the order of their ids")
	assert.Equal(t, "two", field(1, abi.RecordID))
	assert.Equal(t, "10.0.0.2:80", field(1, abi.RecordAddress))
	assert.Equal(t, "b", field(1, abi.RecordZone))
	assert.Equal(t, "a\x00\x00track\x00canary\x00", field(1, abi.RecordLabels))
	assert.EqualValues(t, 1, number(0, abi.RecordWeight))
	assert.EqualValues(t, 7, number(1, abi.RecordWeight))
	assert.EqualValues(t, abi.StateDown, number(0, abi.RecordState))
	assert.EqualValues(t, abi.StateDraining, number(1, abi.RecordState))
}

func TestTheTableTellsOfASlowStart(t *testing.T) {
	pool := balance.NewPool("shop")
	pool.Tune(balance.Tuning{SlowStart: time.Hour})
	pool.Update([]balance.Spec{{ID: "one", Weight: 7, Labels: map[string]string{"track": "canary"}}, {ID: "two"}})
	require.NoError(t, pool.SetUp("one", false))
	require.NoError(t, pool.SetUp("one", true))
	frame := frameOf(t, echo(t, pool.Set()), &balance.Request{Attempt: 99})
	labels := func(row int) string {
		at := abi.BackendsRecords + abi.RecordSize*row + abi.RecordLabels
		off, length := u32(frame, at), u32(frame, at+4)
		return string(frame[off : off+length])
	}
	assert.EqualValues(t, 14, u32(frame, abi.BackendsRecords+abi.RecordWeight), "a tenth of 7, in twentieths")
	assert.EqualValues(t, 20, u32(frame, abi.BackendsRecords+abi.RecordSize+abi.RecordWeight))
	assert.Equal(t, "track\x00canary\x00wedge.weight\x007\x00", labels(0))
	assert.Equal(t, "wedge.weight\x001\x00", labels(1))
}

func TestSipHash(t *testing.T) {
	var key [16]byte
	input := make([]byte, 64)
	for i := range input {
		input[i] = byte(i)
	}
	copy(key[:], input)
	// From the appendix of the paper and the authors' list of vectors.
	for length, want := range map[int]uint64{
		0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 7: 0xab0200f58b01d137, 8: 0x93f5f5799a932462,
		15: 0xa129ca6149be45e5, 16: 0x3f2acc7f57c29bdb, 63: 0x958a324ceb064572,
	} {
		assert.Equal(t, want, plugin.SipHash(&key, input[:length]), "%d bytes", length)
	}
}

// Clients of HTTP/2 and HTTP/3 may send each cookie in a field of its own.
func TestACookieIsFoundInAnyCookieField(t *testing.T) {
	fields := &http1.Fields{
		{Name: []byte("cookie"), Value: []byte("theme=dark")},
		{Name: []byte("x-tenant-id"), Value: []byte("acme")},
		{Name: []byte("Cookie"), Value: []byte("lang=en; sid=s3cr3t")},
		{Name: []byte("cookie"), Value: []byte("sid=other; last=1")},
	}
	cookie := func(name string) string { return need(abi.KindCookie, abi.FormRaw, name) }
	g := echo(t, newPool(3).Set(), cookie("theme"), cookie("sid"), cookie("last"), cookie("none"))
	r := &balance.Request{Header: fields}
	frame := frameOf(t, g, r)
	for n, want := range []string{"dark", "s3cr3t", "1", ""} {
		got, ok := slot(t, frame, n)
		assert.Equal(t, want, got)
		assert.Equal(t, want != "", ok)
	}
	var d balance.Decision
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		d.Reset()
		_ = g.Pick(r, nil, &d)
	}))
}

func FuzzFrame(f *testing.F) {
	g := echo(f, newPool(3).Set(), need(abi.KindPath, abi.FormRaw, ""), need(abi.KindCookie, abi.FormRaw, "sid"),
		need(abi.KindQueryParam, abi.FormHash, "id"), need(abi.KindHeader, abi.FormRaw, "x"))
	f.Add("/", "a=b; sid=x", "id=1", "v")
	f.Add("", ";;sid;sid=", "&&id&id=", "")
	f.Fuzz(func(t *testing.T, path, cookie, query, value string) {
		frame := frameOf(t, g, &balance.Request{
			Path: []byte(path), Query: []byte(query), HasQuery: true,
			Header: headers{"cookie": cookie, "x": value},
		})
		require.LessOrEqual(t, len(frame), abi.MaxRequest)
		shown, ok := slot(t, frame, 0)
		require.Equal(t, path != "", ok)
		require.True(t, strings.HasPrefix(path, shown))
		shown, ok = slot(t, frame, 1)
		require.True(t, !ok || strings.Contains(cookie, "sid="+shown))
		shown, ok = slot(t, frame, 2)
		require.True(t, !ok || len(shown) == abi.HashSize)
		shown, ok = slot(t, frame, 3)
		require.True(t, ok && strings.HasPrefix(value, shown))
	})
}
