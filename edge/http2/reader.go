package http2

// A Reader cuts what arrives into frames. The owner gives it memory while there is something to read.
type Reader struct {
	buf     []byte
	at, end int // buf[at:end] is unread
}

// SetBuffer gives the memory, of which room for one frame of MaxPayload is needed; nil takes it back, which
// loses what is unread.
func (r *Reader) SetBuffer(b []byte) { r.buf, r.at, r.end = b, 0, 0 }

// Buffer is the memory.
func (r *Reader) Buffer() []byte { return r.buf }

// Unread is what has arrived and is of no frame yet that Next gave.
func (r *Reader) Unread() []byte { return r.buf[r.at:r.end] }

// Skip drops n unread bytes.
func (r *Reader) Skip(n int) { r.at += n }

// Space is where more may be put; Filled tells how much was. It moves what is unread.
func (r *Reader) Space() []byte {
	if r.at > 0 {
		r.end = copy(r.buf, r.buf[r.at:r.end])
		r.at = 0
	}
	return r.buf[r.end:]
}

// Filled tells that n bytes were put into Space.
func (r *Reader) Filled(n int) { r.end += n }

// Next gives the next frame if it has arrived whole. Its payload is valid until Space is called.
func (r *Reader) Next() (h Header, payload []byte, whole bool, err *Error) {
	b := r.buf[r.at:r.end]
	if len(b) < HeaderSize {
		return h, nil, false, nil
	}
	h = parseHeader(b)
	if h.Length > MaxPayload {
		return h, nil, false, errTooLarge
	}
	if err = h.Check(); err != nil {
		return h, nil, false, err
	}
	if len(b) < HeaderSize+h.Length {
		return h, nil, false, nil
	}
	r.at += HeaderSize + h.Length
	return h, b[HeaderSize : HeaderSize+h.Length], true, nil
}
