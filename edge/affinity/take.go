package affinity

import (
	"bytes"
	"time"
)

// Take looks for the pool's cookie in the value of a Cookie field, checks what it carries into t, and gives
// the value without it: the backend must not see a token. A request may have several such fields; Take is
// called for each, and the first valid token counts. If found is false, rest is value itself; else it is
// written to dst[:0] (which may be value[:0]) and may be empty: then the field is to be dropped. The other
// cookies stay byte by byte. secure tells whether the client came over TLS. It allocates only if dst lacks
// room.
//
// Cookies are parted by semicolons wherever they stand, as RFC 6265 has it: quotes protect nothing.
func (a *Affinity) Take(t *Token, dst, value []byte, secure bool, now time.Time) (rest []byte, found bool) {
	if a == nil || a.carrier != InCookie || !bytes.Contains(value, a.bare) {
		return value, false
	}
	closed := value[len(value)-1] == ';'
	for start := 0; start <= len(value); {
		next := len(value) + 1
		if i := bytes.IndexByte(value[start:], ';'); i >= 0 {
			next = start + i + 1
		}
		if a.claim(t, value[start:next-1], secure, now) {
			if !found {
				dst, found = append(dst[:0], value[:start]...), true
			}
		} else if found {
			dst = append(dst, value[start:min(next, len(value))]...)
		}
		start = next
	}
	if !found {
		return value, false
	}
	if !closed {
		dst = bytes.TrimSuffix(dst, separator)
	}
	return bytes.TrimLeft(dst, white), true
}

var (
	equals    = []byte{'='}
	separator = []byte{';'}
)

const white = " \t"

// claim tells whether pair is the edge's own cookie, and reads it into t if no valid token was found before.
func (a *Affinity) claim(t *Token, pair []byte, secure bool, now time.Time) bool {
	name, content, _ := bytes.Cut(pair, equals)
	name, content = bytes.Trim(name, white), unquote(bytes.Trim(content, white))
	switch string(name) {
	case string(a.cookie(secure).name):
		if !t.Valid {
			a.Check(t, content, now)
		}
		return true
	case string(a.cookie(!secure).name):
		return a.made(t, content)
	}
	return false
}

// made tells whether content is surely a token of the pool. Under the cookie's name of the other kind of
// connection it may as well be an application's own cookie.
func (a *Affinity) made(t *Token, content []byte) bool {
	if t.checks++; t.checks > maxChecks {
		return false
	}
	var other claims
	return a.read(&other, content) == NoFault
}

func unquote(s []byte) []byte {
	if n := len(s); n >= 2 && s[0] == '"' && s[n-1] == '"' {
		return s[1 : n-1]
	}
	return s
}
