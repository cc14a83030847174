package proxyproto_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/proxyproto"
)

const sig = "\r\n\r\n\x00\r\nQUIT\n"

// header is what a case expects: source, destination, and how many bytes of the case are behind the header.
type header struct {
	source, destination string
	rest                int
}

func (w header) check(t *testing.T, data string) {
	t.Helper()
	h, n, err := proxyproto.Parse([]byte(data))
	require.NoError(t, err)
	assert.Equal(t, len(data)-w.rest, n)
	var want proxyproto.Header
	if w.source != "" {
		want.Source = netip.MustParseAddrPort(w.source)
		want.Destination = netip.MustParseAddrPort(w.destination)
	}
	assert.Equal(t, want, h)
}

// v4 is 192.0.2.1:1 to 192.0.2.2:443; v6 is a network.
const v4 = "\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x01\x01\xbb"

var v6 = "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11)

// good are headers by what they say.
var good = map[string]struct {
	data string
	want header
}{
	"1: IPv4": {"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n",
		header{"192.0.2.1:56324", "192.0.2.2:443", 0}},
	"1: a request is behind it": {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n",
		header{"192.0.2.1:1", "192.0.2.2:2", 16}},
	"1: IPv6": {"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n",
		header{"[2001:db8::1]:1", "[2001:db8::2]:65535", 0}},
	"1: IPv4 as IPv6":      {"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", header{"192.0.2.1:1", "[::1]:2", 0}},
	"1: unknown":           {"PROXY UNKNOWN\r\n", header{}},
	"1: unknown, and more": {"PROXY UNKNOWN ffff::1 what ever\r\nGET", header{rest: 3}},
	"1: the longest": {"PROXY UNKNOWN " + strings.Repeat("f", 107-len("PROXY UNKNOWN \r\n")) + "\r\n",
		header{}},
	"2: IPv4": {sig + "\x21\x11\x00\x0c" + v4,
		header{"192.0.2.1:1", "192.0.2.2:443", 0}},
	"2: with TLVs and a request": {sig + "\x21\x11\x00\x14" + v4 +
		"\x01\x00\x02h2\x04\x00\x00GET", header{"192.0.2.1:1", "192.0.2.2:443", 3}},
	"2: IPv6": {sig + "\x21\x21\x00\x24" + v6 + "\x01" + v6 + "\x02\x00\x01\x01\xbb",
		header{"[2001:db8::1]:1", "[2001:db8::2]:443", 0}},
	"2: local":                  {sig + "\x20\x00\x00\x00", header{}},
	"2: local, with addresses":  {sig + "\x20\x11\x00\x0c" + v4 + "G", header{rest: 1}},
	"2: local, with nonsense":   {sig + "\x20\x11\x00\x05nonseG", header{rest: 1}},
	"2: of no family":           {sig + "\x21\x00\x00\x03abcG", header{rest: 1}},
	"2: a datagram's addresses": {sig + "\x21\x12\x00\x0c" + v4, header{}},
	"2: a Unix socket's":        {sig + "\x21\x31\x00\xd8" + strings.Repeat("/", 216), header{}},
	"2: the longest": {sig + "\x20\x00\x02\x08" + strings.Repeat("x", proxyproto.MaxLen-16) + "G",
		header{rest: 1}},
}

func TestAHeaderIsReadToItsLastByteAndNoFurther(t *testing.T) {
	for name, tt := range good {
		t.Run(name, func(t *testing.T) { tt.want.check(t, tt.data) })
	}
}

func TestEveryPartOfAHeaderIsIncomplete(t *testing.T) {
	for name, tt := range good {
		t.Run(name, func(t *testing.T) {
			for n := range len(tt.data) - tt.want.rest {
				_, _, err := proxyproto.Parse([]byte(tt.data[:n]))
				require.ErrorIs(t, err, proxyproto.ErrIncomplete, "%q", tt.data[:n])
			}
		})
	}
}

func TestOtherBytesAreNoHeader(t *testing.T) {
	for _, data := range []string{"GET / HTTP/1.1\r\n", "POST", "PRI * HTTP/2.0", "PROXYX", "PROXY\tTCP4",
		"proxy ", "\x16\x03\x01", "\r\nGET", "\r\n\r\n\x00\r\nQUIT\r"} {
		_, _, err := proxyproto.Parse([]byte(data))
		assert.ErrorIs(t, err, proxyproto.ErrNone, "%q", data)
	}
}

// bad are headers by what is wrong about them.
var bad = map[string]string{
	"1: a method of that name":    "PROXY / HTTP/1.1\r\n",
	"1: no family":                "PROXY \r\n",
	"1: LF alone":                 "PROXY UNKNOWN\n",
	"1: small letters":            "PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
	"1: UDP4":                     "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
	"1: UNKNOWNX":                 "PROXY UNKNOWNX\r\n",
	"1: two spaces":               "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
	"1: a space at the end":       "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
	"1: a port is missing":        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
	"1: IPv6 as TCP4":             "PROXY TCP4 ::1 ::1 1 2\r\n",
	"1: IPv4 as TCP6":             "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
	"1: a zone":                   "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
	"1: a number above 255":       "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
	"1: leading zeros":            "PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n",
	"1: a port with leading zero": "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
	"1: a port with a sign":       "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
	"1: a port above 65535":       "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
	"1: CR inside":                "PROXY TCP4 192.0.2.1\r 192.0.2.2 1 2\r\n",
	"1: one byte too long":        "PROXY UNKNOWN " + strings.Repeat("f", 92) + "\r\n",
	"1: endless":                  "PROXY TCP4 " + strings.Repeat("1", 500),
	"2: version 1":                sig + "\x11\x11\x00\x0c",
	"2: version 3":                sig + "\x31\x11\x00\x0c",
	"2: unknown command":          sig + "\x22\x11\x00\x0c",
	"2: unknown family":           sig + "\x21\x41\x00\x0c",
	"2: unknown transport":        sig + "\x21\x13\x00\x0c",
	"2: too short for IPv4":       sig + "\x21\x11\x00\x0b",
	"2: too short for IPv6":       sig + "\x21\x21\x00\x23",
	"2: too short for a path":     sig + "\x21\x31\x00\xd7",
	"2: longer than we take":      sig + "\x21\x11\x02\x09",
	"2: local, longer than that":  sig + "\x20\x00\xff\xff",
	"2: a TLV that is cut":        sig + "\x21\x11\x00\x0e" + v4 + "\x01\x00",
	"2: a TLV beyond the end":     sig + "\x21\x11\x00\x10" + v4 + "\x01\x00\x02h",
}

func TestABadHeaderIsRefused(t *testing.T) {
	for name, data := range bad {
		t.Run(name, func(t *testing.T) {
			_, _, err := proxyproto.Parse([]byte(data))
			var refused *proxyproto.Error
			require.ErrorAs(t, err, &refused)
			assert.NotEmpty(t, refused.Reason)
		})
	}
}

func TestAHeaderThatWasWrittenIsReadBack(t *testing.T) {
	for name, tt := range map[string]struct{ source, destination, read string }{
		"IPv4":               {"192.0.2.1:5", "192.0.2.2:80", "192.0.2.1:5"},
		"IPv6":               {"[2001:db8::1]:5", "[::1]:80", "[2001:db8::1]:5"},
		"IPv4 to IPv6":       {"192.0.2.1:5", "[::1]:80", "192.0.2.1:5"},
		"IPv6 to IPv4":       {"[2001:db8::1]:0", "192.0.2.2:80", "[2001:db8::1]:0"},
		"an unknown address": {"", "192.0.2.2:80", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var h proxyproto.Header
			if tt.source != "" {
				h.Source = netip.MustParseAddrPort(tt.source)
			}
			h.Destination = netip.MustParseAddrPort(tt.destination)
			data := proxyproto.Append(nil, h)
			got, n, err := proxyproto.Parse(data)
			require.NoError(t, err)
			assert.Equal(t, len(data), n)
			if tt.read == "" {
				assert.Zero(t, got)
				return
			}
			assert.Equal(t, netip.MustParseAddrPort(tt.read), got.Source)
			assert.Equal(t, h.Destination, got.Destination)
		})
	}
}

func TestNeitherReadingNorWritingAVersion2HeaderAllocates(t *testing.T) {
	h := proxyproto.Header{Source: netip.MustParseAddrPort("[2001:db8::1]:5"),
		Destination: netip.MustParseAddrPort("[::1]:80")}
	buf := make([]byte, 0, proxyproto.MaxLen)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		data := proxyproto.Append(buf, h)
		if _, _, err := proxyproto.Parse(data); err != nil {
			panic(err)
		}
	}))
}
