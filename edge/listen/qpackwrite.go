package listen

import (
	"strconv"

	"github.com/quic-go/quic-go/quicvarint"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/http2"
)

const (
	lineIndexed = 0xc0 // of the static table, with 6 bits of index
	lineNamed   = 0x50 // its name is, with 4 bits of index
	lineLiteral = 0x20 // with 3 bits of the name's length
)

// longestName is the most that a name of the static table has.
const longestName = 32

// appendLine appends a field line; the name goes in lower case.
func appendLine(b []byte, f *http1.Field) []byte {
	if len(f.Name) > longestName {
		b = http2.AppendPrefixed(b, lineLiteral, 3, uint64(len(f.Name)))
		return http2.AppendText(http2.AppendLower(b, f.Name), f.Value)
	}
	var memory [longestName]byte
	name := http2.AppendLower(memory[:0], f.Name)
	span, known := qpackNames[string(name)]
	if !known {
		b = http2.AppendPrefixed(b, lineLiteral, 3, uint64(len(name)))
		return http2.AppendText(append(b, name...), f.Value)
	}
	for i := int(span.first); i < int(span.first)+int(span.count); i++ {
		if qpackStatic[i].value == string(f.Value) {
			return http2.AppendPrefixed(b, lineIndexed, 6, uint64(i))
		}
	}
	return http2.AppendText(http2.AppendPrefixed(b, lineNamed, 4, uint64(span.first)), f.Value)
}

const (
	staticLength = 4  // content-length: 0
	staticStatus = 24 // the first of some
)

// appendStatus appends the pseudo-field of an answer.
func appendStatus(b []byte, status int) []byte {
	var memory [20]byte
	text := strconv.AppendInt(memory[:0], int64(status), 10)
	for _, i := range [...]int{25, 26, 27, 64, 65, 66, 67, 68, 71, 24, 28, 63, 69, 70} {
		if qpackStatic[i].value == string(text) {
			return http2.AppendPrefixed(b, lineIndexed, 6, uint64(i))
		}
	}
	return http2.AppendText(http2.AppendPrefixed(b, lineNamed, 4, staticStatus), text)
}

// appendLength appends content-length.
func appendLength(b []byte, n int64) []byte {
	if n == 0 {
		return http2.AppendPrefixed(b, lineIndexed, 6, staticLength)
	}
	var memory [20]byte
	return http2.AppendText(http2.AppendPrefixed(b, lineNamed, 4, staticLength), strconv.AppendInt(memory[:0], n, 10))
}

// frameRoom is the type and the length of a frame that openFrame begins.
const frameRoom = 1 + 4

// openFrame begins a frame whose length closeFrame fills in.
func openFrame(b []byte, kind byte) []byte { return append(b, kind, 0x80, 0, 0, 0) }

// closeFrame fills in the length of the frame that begins at that place of b; more of it may follow b.
func closeFrame(b []byte, at, more int) {
	n := len(b) - at - frameRoom + more
	b[at+1], b[at+2], b[at+3], b[at+4] = 0x80|byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
}

// openHeaders begins a HEADERS frame with its empty prefix (RFC 9204 4.5.1).
func openHeaders(b []byte) []byte { return append(openFrame(b, frameHeaders), 0, 0) }

// appendDataHead begins a DATA frame of n bytes.
func appendDataHead(b []byte, n int64) []byte {
	return quicvarint.Append(append(b, frameData), uint64(n))
}
