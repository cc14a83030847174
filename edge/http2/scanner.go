package http2

import "golang.org/x/net/http2/hpack"

// A Scanner reads the primitives of field compression (RFC 7541 5, RFC 9204 4.1) from In. What it gives is
// appended to Mem, and stays valid when Mem grows.
type Scanner struct {
	Mem []byte
	In  []byte // not yet decoded
}

// Keep copies s to Mem.
func (s *Scanner) Keep(text string) []byte {
	n := len(s.Mem)
	s.Mem = append(s.Mem, text...)
	return s.Mem[n:len(s.Mem):len(s.Mem)]
}

// Text decodes a string whose length has a prefix of that many bits; the bit before tells of Huffman's code.
func (s *Scanner) Text(prefix int) ([]byte, bool) {
	if len(s.In) == 0 {
		return nil, false
	}
	coded := s.In[0]&(1<<prefix) != 0
	n, ok := s.Integer(prefix)
	if !ok || n > uint64(len(s.In)) {
		return nil, false
	}
	raw := s.In[:n]
	s.In = s.In[n:]
	begin := len(s.Mem)
	if !coded {
		s.Mem = append(s.Mem, raw...)
	} else if _, err := hpack.HuffmanDecode((*memory)(s), raw); err != nil {
		return nil, false
	}
	return s.Mem[begin:len(s.Mem):len(s.Mem)], true
}

// memory appends to Mem.
type memory Scanner

func (m *memory) Write(p []byte) (int, error) {
	m.Mem = append(m.Mem, p...)
	return len(p), nil
}

// Integer decodes one with a prefix of that many bits (RFC 7541 5.1), of 62 bits at most.
func (s *Scanner) Integer(prefix int) (uint64, bool) {
	if len(s.In) == 0 {
		return 0, false
	}
	most := uint64(1)<<prefix - 1
	v := uint64(s.In[0]) & most
	s.In = s.In[1:]
	if v < most {
		return v, true
	}
	for shift := 0; len(s.In) > 0 && shift < 63; shift += 7 {
		b := s.In[0]
		s.In = s.In[1:]
		if v += uint64(b&0x7f) << shift; v >= 1<<62 {
			return 0, false
		}
		if b&0x80 == 0 {
			return v, true
		}
	}
	return 0, false
}

// AppendPrefixed appends an integer behind the high bits of first (RFC 7541 5.1).
func AppendPrefixed(b []byte, first byte, prefix int, v uint64) []byte {
	most := uint64(1)<<prefix - 1
	if v < most {
		return append(b, first|byte(v))
	}
	b = append(b, first|byte(most))
	for v -= most; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

// AppendText appends a string as it is, behind its length.
func AppendText(b, s []byte) []byte {
	return append(AppendPrefixed(b, 0, 7, uint64(len(s))), s...)
}

// AppendLower appends s with ASCII letters in lower case, as names are.
func AppendLower(b, s []byte) []byte {
	for _, c := range s {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		b = append(b, c)
	}
	return b
}
