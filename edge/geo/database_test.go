package geo_test

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/geo"
)

// in is a record with a country under a name.
func in(name, code string) mmdbtype.Map {
	return mmdbtype.Map{mmdbtype.String(name): mmdbtype.Map{"iso_code": mmdbtype.String(code)}}
}

// database makes the bytes of one.
func database(t testing.TB, version int, records map[string]mmdbtype.DataType) []byte {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test-Country", IPVersion: version,
		IncludeReservedNetworks: true, RecordSize: 24})
	require.NoError(t, err)
	for network, record := range records {
		_, n, err := net.ParseCIDR(network)
		require.NoError(t, err)
		require.NoError(t, tree.Insert(n, record))
	}
	var b bytes.Buffer
	_, err = tree.WriteTo(&b)
	require.NoError(t, err)
	return b.Bytes()
}

// one is a database's only record.
func one(record mmdbtype.Map) map[string]mmdbtype.DataType {
	return map[string]mmdbtype.DataType{"192.0.2.0/24": record}
}

func write(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "country.mmdb")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func sample(t testing.TB) []byte {
	abroad := in("country", "FR")
	abroad["registered_country"] = mmdbtype.Map{"iso_code": mmdbtype.String("DE")}
	nowhere := in("continent", "EU")
	return database(t, 6, map[string]mmdbtype.DataType{
		"192.0.2.0/25":    in("country", "DE"),
		"192.0.2.128/25":  in("registered_country", "NZ"),
		"198.51.100.0/24": abroad,
		"203.0.113.0/24":  nowhere,
		"2001:db8::/32":   in("country", "JP"),
	})
}

func TestTheCountryOfAnAddress(t *testing.T) {
	d, err := geo.Open(write(t, sample(t)))
	require.NoError(t, err)
	for name, tt := range map[string]struct{ address, want string }{
		"where it is":                        {"192.0.2.1", "DE"},
		"where it is registered":             {"192.0.2.200", "NZ"},
		"where it is before that":            {"198.51.100.1", "FR"},
		"a record without a country":         {"203.0.113.1", ""},
		"no record":                          {"8.8.8.8", ""},
		"IPv6":                               {"2001:db8::1", "JP"},
		"IPv6 without a record":              {"2001:db9::1", ""},
		"IPv4 in its IPv6 form":              {"::ffff:192.0.2.1", "DE"},
		"IPv4 by 6to4, which is an alias":    {"2002:c000:201::", "DE"},
		"a zone is of no importance":         {"2001:db8::1%eth0", "JP"},
		"an address that is none, of nobody": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := netip.ParseAddr(tt.address)
			assert.Equal(t, tt.want, d.Country(a))
		})
	}
}

func TestADatabaseOfIPv4KnowsNothingOfIPv6(t *testing.T) {
	d, err := geo.Open(write(t, database(t, 4, one(in("country", "DE")))))
	require.NoError(t, err)
	assert.Equal(t, "DE", d.Country(netip.MustParseAddr("192.0.2.1")))
	assert.Empty(t, d.Country(netip.MustParseAddr("2001:db8::1")))
}

func TestAFileThatIsNoCountryDatabaseIsRefused(t *testing.T) {
	whole := sample(t)
	asn := mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(64496)}
	flat := mmdbtype.Map{"country": mmdbtype.String("DE")}
	for name, tt := range map[string]struct {
		data []byte
		says string
	}{
		"empty":              {nil, "invalid MaxMind DB"},
		"text":               {[]byte("country: DE\n"), "invalid MaxMind DB"},
		"cut":                {whole[:len(whole)/2], "invalid MaxMind DB"},
		"its end alone":      {whole[len(whole)/2:], ""},
		"of another type":    {database(t, 6, one(asn)), "tells no country"},
		"of another shape":   {database(t, 6, one(flat)), "record of 192.0.2.0/24"},
		"of other codes":     {database(t, 6, one(in("country", "Germany"))), "tells no country"},
		"nothing is in it":   {database(t, 6, nil), "tells no country"},
		"its tree is a loop": {loop(t), "tree is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, tt.data)
			_, err := geo.Open(path)
			require.ErrorContains(t, err, path)
			assert.ErrorContains(t, err, tt.says)
		})
	}
	_, err := geo.Open(filepath.Join(t.TempDir(), "none.mmdb"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = geo.Open(t.TempDir())
	require.ErrorContains(t, err, "want a file")
}

// loop is a database whose every node leads to the next on both sides, and the last to a record.
func loop(t *testing.T) []byte {
	data := database(t, 6, map[string]mmdbtype.DataType{"2001:db8::/100": in("country", "DE")})
	const nodes, size = 99, 3
	for n := range nodes {
		at := n * 2 * size
		next := []byte{0, 0, byte(n + 1)}
		copy(data[at:], next)
		copy(data[at+size:], next)
	}
	return data
}

func TestALookupDoesNotAllocate(t *testing.T) {
	d, err := geo.Open(write(t, sample(t)))
	require.NoError(t, err)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if d.Country(a) != "DE" || d.Country(b) != "JP" {
			panic("another country")
		}
	}))
}

func TestAFileThatIsCutOrReplacedInUseDoesNoHarm(t *testing.T) {
	path := write(t, sample(t))
	d, err := geo.Open(path)
	require.NoError(t, err)
	assert.True(t, d.Same(path))
	require.NoError(t, os.Truncate(path, 0))
	assert.Equal(t, "DE", d.Country(netip.MustParseAddr("192.0.2.1")))
	assert.False(t, d.Same(path))
	require.NoError(t, os.WriteFile(path, sample(t), 0o600))
	require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)))
	assert.False(t, d.Same(path), "as long, but later")
	require.NoError(t, os.Remove(path))
	assert.False(t, d.Same(path))
}

func BenchmarkCountry(b *testing.B) {
	d, err := geo.Open(write(b, sample(b)))
	require.NoError(b, err)
	a := netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		d.Country(a)
	}
}

// FuzzOpen has no file crash or hang the edge, neither when it is read nor when it is asked.
func FuzzOpen(f *testing.F) {
	f.Add(sample(f))
	f.Add(database(f, 4, one(in("country", "DE"))))
	path := filepath.Join(f.TempDir(), "fuzz.mmdb")
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o600))
		d, err := geo.Open(path)
		if err != nil {
			return
		}
		for _, a := range []string{"192.0.2.1", "0.0.0.0", "255.255.255.255", "::", "2001:db8::1", "ffff::"} {
			code := d.Country(netip.MustParseAddr(a))
			require.Contains(t, []int{0, 2}, len(code))
		}
	})
}
