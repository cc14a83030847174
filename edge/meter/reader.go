package meter

import (
	"fmt"
	"unicode/utf8"
)

// A reader reads the bytes of a module up to end. After the first fault every read gives zero and there is
// nothing more to read, so that only loops need to look.
type reader struct {
	data     []byte
	at, end  int
	section  string
	function int // or -1
	fault    *Fault
}

// fail notes the first fault, at the byte that was read last.
func (r *reader) fail(at int, format string, args ...any) {
	if r.fault == nil {
		r.fault = &Fault{Section: r.section, Function: r.function, Offset: at, Text: fmt.Sprintf(format, args...)}
	}
	r.at = r.end
}

// over notes that n of something are more than limit.
func (r *reader) over(at int, n, limit int64, what string) {
	if r.fault == nil {
		r.fail(at, "%d %s", n, what)
		r.fault.Limit = limit
	}
}

// more tells whether there is anything left to read.
func (r *reader) more() bool { return r.fault == nil && r.at < r.end }

func (r *reader) byte() byte {
	if r.at >= r.end {
		r.fail(r.at, "ends too early")
		return 0
	}
	b := r.data[r.at]
	r.at++
	return b
}

// take gives the next n bytes.
func (r *reader) take(n int) []byte {
	if n > r.end-r.at {
		r.fail(r.at, "ends too early")
		return nil
	}
	b := r.data[r.at : r.at+n]
	r.at += n
	return b
}

// u32 reads an unsigned integer in LEB128 of at most 5 bytes, the unused bits zero.
func (r *reader) u32() uint32 {
	if r.at < r.end && r.data[r.at] < 0x80 {
		r.at++
		return uint32(r.data[r.at-1])
	}
	at := r.at
	var n uint32
	for shift := 0; ; shift += 7 {
		b := r.byte()
		if shift == 28 && b > 0x0f {
			r.fail(at, "number of more than 32 bits")
			return 0
		}
		n |= uint32(b&0x7f) << shift
		if b < 0x80 || r.fault != nil {
			return n
		}
	}
}

// signed reads a signed integer in LEB128 of so many bits, the unused ones equal to the sign.
func (r *reader) signed(bits int) int64 {
	at := r.at
	var n int64
	for shift := 0; ; shift += 7 {
		b := r.byte()
		if left := bits - shift; left < 7 {
			if sign := int8(b<<1) >> left; b >= 0x80 || sign != 0 && sign != -1 {
				r.fail(at, "number of more than %d bits", bits)
				return 0
			}
		}
		n |= int64(b&0x7f) << shift
		if b < 0x80 || r.fault != nil {
			if shift += 7; shift < 64 && b&0x40 != 0 {
				n |= -1 << shift
			}
			return n
		}
	}
}

// count reads the length of a vector, whose items have at least one byte each.
func (r *reader) count(what string, limit int) int {
	at := r.at
	n := int64(r.u32())
	if n > int64(limit) {
		r.over(at, n, int64(limit), what)
		return 0
	}
	if n > int64(r.end-r.at) {
		r.fail(at, "%d %s in %d bytes", n, what, r.end-r.at)
		return 0
	}
	return int(n)
}

// index reads an index of one of n things.
func (r *reader) index(what string, n int) uint32 {
	at := r.at
	i := r.u32()
	if r.fault == nil && int64(i) >= int64(n) {
		r.fail(at, "%s %d of %d", what, i, n)
		return 0
	}
	return i
}

// name reads a text.
func (r *reader) name() string {
	at := r.at
	b := r.take(r.count("bytes of a name", maxName))
	if !utf8.Valid(b) {
		r.fail(at, "name that is not UTF-8")
		return ""
	}
	return string(b)
}

// maxName is the length of a name, in bytes.
const maxName = 4 << 10
