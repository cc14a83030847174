package http1

import "io"

// A chunkState is what a chunked body (RFC 9112 7.1) has next.
type chunkState uint8

const (
	inSize chunkState = iota
	inData
	inDataEnd // the CRLF behind a chunk's data
	inTrailers
)

const (
	// maxChunkLine bounds a chunk's size with its extensions, which are read and dropped.
	maxChunkLine = 256
	maxSizeChars = 16
	// maxOverhead bounds the bytes of extensions of one body, of which small chunks could carry without end.
	maxOverhead = 16 << 10
)

func (b *Body) readChunked(p []byte) (total int, err error) {
	for {
		switch {
		case b.state != inData:
			if err := b.step(); err == ErrIncomplete {
				if total > 0 {
					return total, nil
				}
				if err = b.src.Fill(); err != nil {
					b.err = cutShort(err)
				}
			} else if err != nil {
				b.err = err
			}
			if b.err != nil {
				return total, b.err
			}
		case len(p) == 0 || total > 0 && len(b.src.Buffered()) == 0:
			return total, nil
		default:
			n, err := b.data(p)
			total += n
			p = p[n:]
			if err != nil {
				b.err = cutShort(err)
				return total, b.err
			}
		}
	}
}

// data reads from the chunk at hand, from the buffer or else right from the source.
func (b *Body) data(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.src.Read(p)
	if b.left -= int64(n); b.left == 0 {
		b.state = inDataEnd
		return n, nil // an error comes again with the next read
	}
	return n, err
}

// step reads what stands between chunks. It is ErrIncomplete if more bytes are needed, io.EOF at the end.
func (b *Body) step() error {
	buf := b.src.Buffered()
	switch b.state {
	case inDataEnd:
		n, err := lineEnd(buf, 0)
		if err == ErrIncomplete {
			return err
		}
		if err != nil {
			return errChunkEnd
		}
		b.src.Discard(n)
		b.state = inSize
		return nil
	case inSize:
		return b.size(buf)
	}
	return b.trailers(buf)
}

// size reads "1*HEXDIG [extensions] CRLF".
func (b *Body) size(buf []byte) error {
	var n int64
	i := 0
	for ; i < len(buf) && class[buf[i]]&isHex != 0; i++ {
		if i == maxSizeChars || n>>59 != 0 {
			return errChunkSize
		}
		n = n<<4 | int64(unhex(buf[i]))
	}
	if i == len(buf) {
		return ErrIncomplete
	}
	if i == 0 || buf[i] != '\r' && buf[i] != ';' && buf[i] != ' ' && buf[i] != '\t' {
		return errChunkSize
	}
	end, err := b.extension(buf, i)
	if err != nil {
		return err
	}
	b.src.Discard(end)
	b.left, b.state = n, inData
	if n == 0 {
		b.state = inTrailers
	}
	return nil
}

// extension checks and drops what follows a size up to the CRLF.
func (b *Body) extension(buf []byte, i int) (int, error) {
	start := i
	end := textEnd(buf, i)
	if end > maxChunkLine {
		return 0, errChunkExt
	}
	next, err := lineEnd(buf, end)
	if err != nil {
		return 0, err
	}
	if end > start && !validExtensions(buf[start:end]) {
		return 0, errChunkExt
	}
	if b.overhead += end - start; b.overhead > maxOverhead {
		return 0, errChunkExt
	}
	return next, nil
}

// trailers reads the trailer section with its empty line.
func (b *Body) trailers(buf []byte) error {
	if len(buf) >= 2 && buf[0] == '\r' && buf[1] == '\n' {
		b.src.Discard(2)
		return io.EOF
	}
	if b.searched > 0 && !b.trailersEnded(buf) {
		return b.trailersUnfinished(buf)
	}
	i, err := b.trailerFields(buf)
	switch {
	case err == ErrIncomplete:
		b.searched = len(buf)
		return b.trailersUnfinished(buf)
	case err != nil:
		return err
	case i > b.lim.Trailers:
		return errTrailers
	}
	b.src.Pin(i)
	return io.EOF
}

func (b *Body) trailersEnded(buf []byte) bool {
	i, found := headEnd(buf, b.searched)
	b.searched = i
	return found
}

func (b *Body) trailersUnfinished(buf []byte) error {
	if len(buf) >= b.lim.Trailers {
		return errTrailers
	}
	return ErrIncomplete
}

func (b *Body) trailerFields(buf []byte) (int, error) {
	b.Trailers = b.Trailers[:0]
	for i, lines := 0, 0; ; lines++ {
		if i < len(buf) && buf[i] == '\r' {
			return lineEnd(buf, i)
		}
		if lines == b.lim.Fields {
			return 0, errTooManyFields
		}
		f, _, next, err := fieldLine(buf, i, false)
		if err != nil {
			return 0, err
		}
		if TrailerAllowed(f.Name) {
			b.Trailers = append(b.Trailers, f)
		}
		i = next
	}
}
