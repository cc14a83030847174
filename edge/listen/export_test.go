package listen

import (
	"io"

	"github.com/wedge-lb/wedge/edge/http1"
)

// DecodeSection reads a field section as a request's; false is any error, and large tells which.
func DecodeSection(b []byte, most int) (f http1.Fields, ok, large bool) {
	var q qpackReader
	if err := q.begin(b, most); err != nil {
		return nil, false, false
	}
	for q.more() {
		name, value, err := q.next()
		if err != nil {
			return f, false, err == errSection
		}
		f.Add(name, value)
	}
	return f, true, false
}

// EncodeSection is the field section of an answer.
func EncodeSection(status int, f http1.Fields, length int64) []byte {
	b := openHeaders(nil)
	b = appendStatus(b, status)
	for i := range f {
		b = appendLine(b, &f[i])
	}
	if length >= 0 {
		b = appendLength(b, length)
	}
	closeFrame(b, 0, 0)
	return b[frameRoom:]
}

// A Frame is one that Frames gives.
type Frame struct {
	Kind    uint64
	Payload string
}

// Frames reads frames of up to most bytes until the error that ends them; whole = it came between frames.
func Frames(src io.Reader, most int) (all []Frame, whole bool) {
	var r h3Reader
	r.reset(src)
	for {
		kind, length, err := r.frame()
		if err != nil {
			return all, err == io.EOF
		}
		if length > uint64(most) {
			err = r.skip(length)
			all = append(all, Frame{kind, "skipped"})
		} else {
			var b []byte
			b, err = r.take(int(length))
			all = append(all, Frame{kind, string(b)})
		}
		if err != nil {
			return all, false
		}
	}
}

// What the control stream's frames are held to.
var (
	ValidSettings = validSettings
	ParsePriority = parsePriority
)
