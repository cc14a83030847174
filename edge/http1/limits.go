package http1

// Limits bound what the other side can make us hold. A field that is 0 takes its default.
type Limits struct {
	Head     int // bytes of a head; default 32 KiB
	Line     int // bytes of a request line; default 16 KiB
	Fields   int // field lines of a head; default 100
	Trailers int // bytes of a trailer section; default 8 KiB
}

// WithDefaults is l with its zero fields filled.
func (l Limits) WithDefaults() Limits {
	fill := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	fill(&l.Head, 32<<10)
	fill(&l.Line, 16<<10)
	fill(&l.Fields, 100)
	fill(&l.Trailers, 8<<10)
	return l
}
