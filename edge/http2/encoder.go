package http2

import "strconv"

const (
	lineIndexed = 0x80 // with 7 bits of index
	lineLiteral = 0x00 // not to be kept by the other side; with 4 bits of the name's index, or 0
)

// AppendField appends a field line; the name goes in lower case.
func AppendField(b, name, value []byte) []byte {
	if len(name) > longestName {
		b = AppendPrefixed(append(b, lineLiteral), 0, 7, uint64(len(name)))
		return AppendText(AppendLower(b, name), value)
	}
	var mem [longestName]byte
	low := AppendLower(mem[:0], name)
	at := names[string(low)]
	if at == 0 {
		return AppendText(AppendText(append(b, lineLiteral), low), value)
	}
	return AppendText(AppendPrefixed(b, lineLiteral, 4, uint64(at)), value)
}

// AppendStatus appends the pseudo-field of an answer.
func AppendStatus(b []byte, status int) []byte {
	switch status {
	case 200:
		return append(b, lineIndexed|indexStatus)
	case 204:
		return append(b, lineIndexed|indexStatus+1)
	case 206:
		return append(b, lineIndexed|indexStatus+2)
	case 304:
		return append(b, lineIndexed|indexStatus+3)
	case 400:
		return append(b, lineIndexed|indexStatus+4)
	case 404:
		return append(b, lineIndexed|indexStatus+5)
	case 500:
		return append(b, lineIndexed|indexStatus+6)
	}
	return appendNumber(b, indexStatus, int64(status))
}

// AppendLength appends content-length.
func AppendLength(b []byte, n int64) []byte { return appendNumber(b, indexLength, n) }

func appendNumber(b []byte, index uint64, n int64) []byte {
	var mem [20]byte
	return AppendText(AppendPrefixed(b, lineLiteral, 4, index), strconv.AppendInt(mem[:0], n, 10))
}
