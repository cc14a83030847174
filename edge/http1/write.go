package http1

import "strconv"

// AppendRequest appends the head of r in canonical form: origin form, Host first, the fields in their order,
// then what frames the body: Content-Length, or the chunked coding for an Unknown Length.
func AppendRequest(dst []byte, r *Request) []byte {
	dst = append(dst, r.Method...)
	dst = append(dst, ' ')
	dst = append(dst, r.Path...)
	if r.HasQuery {
		dst = append(dst, '?')
		dst = append(dst, r.Query...)
	}
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, r.Authority...)
	dst = append(dst, "\r\n"...)
	dst = AppendFields(dst, r.Fields)
	switch {
	case r.Upgrade != nil:
		dst = appendUpgrade(dst, r.Upgrade)
	case r.Length == Unknown:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case r.Length > 0 || expectsBody(r.Method):
		dst = appendLength(dst, r.Length)
	}
	return append(dst, "\r\n"...)
}

// expectsBody tells whether a length of 0 should be said (RFC 9110 8.6).
func expectsBody(method []byte) bool {
	switch string(method) {
	case "POST", "PUT", "PATCH":
		return true
	}
	return false
}

// An Answer is how to write the head of a response.
type Answer struct {
	Status int
	Fields Fields
	Length int64 // of the body; Unknown = chunked, or until the connection closes if Old
	// NoBody says that Length is told but not sent: the answer to a HEAD, or a 304. Unknown is not told.
	NoBody  bool
	Old     bool   // the client speaks HTTP/1.0
	Close   bool   // the connection ends with this answer
	Upgrade []byte // of a 101
}

// AppendResponse appends the head that a describes: status line, the fields in their order, then what frames
// the body. 1xx and 204 have none. An Unknown length to an Old client must come with Close.
func AppendResponse(dst []byte, a *Answer) []byte {
	dst = appendStatusLine(dst, a.Status)
	dst = AppendFields(dst, a.Fields)
	switch {
	case a.Status == 101:
		dst = appendUpgrade(dst, a.Upgrade)
		return append(dst, "\r\n"...)
	case a.Status < 200:
		return append(dst, "\r\n"...)
	case a.Status == 204:
	case a.Length >= 0:
		dst = appendLength(dst, a.Length)
	case !a.NoBody && !a.Old:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	if a.Status == 426 {
		dst = appendNeeds(dst, a)
	}
	switch {
	case a.Close:
		dst = append(dst, "Connection: close\r\n"...)
	case a.Old:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// AppendFields appends field lines, without the empty line behind them.
func AppendFields(dst []byte, f Fields) []byte {
	for i := range f {
		dst = AppendField(dst, f[i].Name, f[i].Value)
	}
	return dst
}

// AppendField appends one field line.
func AppendField(dst, name, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// appendNeeds marks the Upgrade of a 426 as this hop's (RFC 9110 7.8).
func appendNeeds(dst []byte, a *Answer) []byte {
	if _, ok := a.Fields.Get("Upgrade"); ok {
		dst = append(dst, "Connection: upgrade\r\n"...)
	}
	return dst
}

func appendLength(dst []byte, n int64) []byte {
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, "\r\n"...)
}

func appendUpgrade(dst, protocol []byte) []byte {
	dst = append(dst, "Connection: Upgrade\r\nUpgrade: "...)
	dst = append(dst, protocol...)
	return append(dst, "\r\n"...)
}

// ChunkRoom is the space that PutChunkHead needs before the data of a chunk.
const ChunkRoom = 10

// PutChunkHead writes the size line of a chunk of n > 0 bytes so that it ends at buf[ChunkRoom], where the
// data begins, and gives where it starts. The data must be followed by CRLF.
func PutChunkHead(buf []byte, n int) int {
	buf[ChunkRoom-1], buf[ChunkRoom-2] = '\n', '\r'
	i := ChunkRoom - 2
	for v := uint32(n); v > 0; v >>= 4 {
		i--
		buf[i] = "0123456789abcdef"[v&15]
	}
	return i
}

// AppendChunk appends data as one chunk; no data appends nothing, as an empty chunk would end the body.
func AppendChunk(dst, data []byte) []byte {
	if len(data) == 0 {
		return dst
	}
	dst = strconv.AppendUint(dst, uint64(len(data)), 16)
	dst = append(dst, "\r\n"...)
	dst = append(dst, data...)
	return append(dst, "\r\n"...)
}

// AppendLastChunk appends the end of a chunked body with those of the trailers that may be sent; nil = none.
func AppendLastChunk(dst []byte, trailers *Fields) []byte {
	dst = append(dst, "0\r\n"...)
	if trailers != nil {
		for _, f := range *trailers {
			if TrailerAllowed(f.Name) {
				dst = AppendField(dst, f.Name, f.Value)
			}
		}
	}
	return append(dst, "\r\n"...)
}
