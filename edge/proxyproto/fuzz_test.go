package proxyproto_test

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/netip"
	"testing"

	pires "github.com/pires/go-proxyproto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/proxyproto"
)

// FuzzParse holds the parser to go-proxyproto: a header that we take it takes alike, with the same bytes left
// behind it; and what it takes we refuse only where we are stricter on purpose.
func FuzzParse(f *testing.F) {
	for _, tt := range good {
		f.Add([]byte(tt.data))
	}
	for _, data := range bad {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, n, err := proxyproto.Parse(data)
		src := bufio.NewReaderSize(bytes.NewReader(data), 128<<10)
		theirs, theirErr := pires.Read(src)
		switch {
		case err == nil:
			require.LessOrEqual(t, n, min(len(data), proxyproto.MaxLen))
			if unspecified(data) {
				return // we take the peer's own address, they refuse
			}
			require.NoError(t, theirErr, "%q", data)
			assert.Equal(t, len(data)-n, src.Buffered(), "%q", data)
			assert.Equal(t, sourceOf(theirs), h.Source, "%q", data)
			readBack(t, h)
		case errors.Is(err, proxyproto.ErrNone), errors.Is(err, proxyproto.ErrIncomplete):
			require.Error(t, theirErr, "%q", data)
		default:
			require.True(t, theirErr != nil || stricter(err), "%q: %v", data, err)
		}
	})
}

// unspecified tells whether data is PROXY of no family.
func unspecified(data []byte) bool { return len(data) > 13 && data[12] == 0x21 && data[13] == 0 }

// stricter tells whether err is of a rule that go-proxyproto does not have.
func stricter(err error) bool {
	switch err.Error() {
	case "proxyproto: header too long", "proxyproto: TLV beyond the end", "proxyproto: invalid port":
		return true
	}
	return false
}

// sourceOf is zero where the peer's own address counts.
func sourceOf(h *pires.Header) netip.AddrPort {
	a, ok := h.SourceAddr.(*net.TCPAddr)
	if !ok || h.Command.IsLocal() {
		return netip.AddrPort{}
	}
	ip, _ := netip.AddrFromSlice(a.IP)
	return netip.AddrPortFrom(ip.Unmap(), uint16(a.Port))
}

func readBack(t *testing.T, h proxyproto.Header) {
	again, _, err := proxyproto.Parse(proxyproto.Append(nil, h))
	require.NoError(t, err)
	assert.Equal(t, h, again)
}
