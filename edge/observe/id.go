package observe

import "math/rand/v2"

const hexDigits = "0123456789abcdef"

// AppendRequestID appends a new request id: 16 hex digits of the runtime's ChaCha8 generator, which each
// processor has for itself. It does not allocate if dst has room.
func AppendRequestID(dst []byte) []byte { return appendHex64(dst, rand.Uint64()) }

func appendHex64(dst []byte, v uint64) []byte {
	var text [16]byte
	for i := len(text) - 1; i >= 0; i-- {
		text[i] = hexDigits[v&15]
		v >>= 4
	}
	return append(dst, text[:]...)
}
