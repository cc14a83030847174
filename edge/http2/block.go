package http2

// A Block is a field block in the making: the fragments of one Headers frame and of its Continuations.
type Block struct {
	Stream uint32
	End    bool // the stream ends with it
	open   bool
	mem    []byte
}

// Begin takes the Headers frame's fragment. It gives the block if that is all of it.
func (b *Block) Begin(h Header, fragment []byte) (block []byte, whole bool) {
	b.Stream, b.End = h.Stream, h.Has(FlagEndStream)
	if h.Has(FlagEndHeaders) {
		return fragment, true
	}
	b.open = true
	b.mem = append(b.mem[:0], fragment...)
	return nil, false
}

// Open tells whether more of a block must come.
func (b *Block) Open() bool { return b.open }

// Continue takes a Continuation. A block may be larger than most by one frame at the most; then the
// connection ends.
func (b *Block) Continue(h Header, fragment []byte, most int) (block []byte, whole bool, err *Error) {
	if len(b.mem) > most || len(b.mem)+len(fragment) > most+MaxPayload {
		return nil, false, errBlockLarge
	}
	b.mem = append(b.mem, fragment...)
	if !h.Has(FlagEndHeaders) {
		return nil, false, nil
	}
	block, b.mem, b.open = b.mem, nil, false
	return block, true, nil
}
