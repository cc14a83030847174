package http1

import "encoding/binary"

// What a byte may be, one bit each.
const (
	isToken     = 1 << iota // tchar, RFC 9110 5.6.2
	isUnderline             // _
	isPath                  // may stand in a path as it is
	isQuery                 // may stand in a query as it is
	isHost                  // may stand in a host name
	isHex
	isUnreserved // RFC 3986 2.3
)

var class = classes()

func classes() (t [256]uint8) {
	set := func(bits uint8, chars string) {
		for i := range len(chars) {
			t[chars[i]] |= bits
		}
	}
	const digits, letters = "0123456789", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	set(isToken|isPath|isQuery|isHost|isUnreserved, digits+letters)
	set(isHex, digits+"abcdefABCDEF")
	set(isToken, "!#$%&'*+-.^_`|~")
	set(isUnderline, "_")
	set(isHost, "-._")
	set(isUnreserved, "-._~")
	// RFC 3986 pchar and slash, and what clients send unescaped without harm; never # or a backslash
	set(isPath, "-._~!$&'()*+,;=:@/%\"<>[]^`{|}")
	set(isQuery, "-._~!$&'()*+,;=:@/%\"<>[]^`{|}?\\")
	return t
}

// valueEnd is the first place from i on whose byte is a control (below SP, or DEL); len(b) if there is none.
// It takes eight bytes at a time (Lamport, "Multiple byte processing with full-word instructions", 1975).
func valueEnd(b []byte, i int) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		d := w ^ ones*0x7f
		if ((w-ones*0x20)&^w|(d-ones)&^d)&high != 0 {
			break
		}
	}
	for ; i < len(b); i++ {
		if b[i] < 0x20 || b[i] == 0x7f {
			break
		}
	}
	return i
}

func all(b []byte, bits uint8) bool {
	for _, c := range b {
		if class[c]&bits == 0 {
			return false
		}
	}
	return true
}

// trim takes the optional white space (SP, HTAB) off both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
