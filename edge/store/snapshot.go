package store

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"
)

// A snapshot is, big-endian:
//
//	magic 8 | version 4 | owner 16 | parts | 0 4 | texts 4 | texts × (length 2, text) | sum 32
//
// where the sum is SHA-256 of all before it and a part is: entries 4 | entries × (key 16, made 4, seen 4, text 4).
const (
	magic           = "wedgetab"
	snapshotVersion = 1
	entrySize       = 16 + 4 + 4 + 4

	maxEntries = 10_000_000 // of a snapshot
	maxTexts   = 1 << 20
)

// ErrForeign is when a snapshot is whole but another owner's: its keys mean nothing here.
var ErrForeign = errors.New("made with another key")

// Changed tells whether a snapshot would differ from the last one.
func (t *Table) Changed() bool {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if changed {
			return true
		}
	}
	return false
}

// WriteSnapshot writes the entries that have not expired. Each shard is as it is at one moment; the owner is
// whose keys they are. It is not called concurrently with itself or Sweep.
func (t *Table) WriteSnapshot(w io.Writer, owner [16]byte, now time.Time) error {
	out := newSummed(w)
	out.bytes([]byte(magic))
	out.number(snapshotVersion)
	out.bytes(owner[:])
	var part []byte
	for i := range t.shards {
		part = t.shards[i].appendPart(part[:0], now.Unix())
		if len(part) > 0 {
			out.number(uint32(len(part) / entrySize))
			out.bytes(part)
		}
	}
	out.number(0)
	list := *t.texts.list.Load()
	out.number(uint32(len(list)))
	for _, text := range list {
		out.bytes(binary.BigEndian.AppendUint16(nil, uint16(len(text))))
		out.bytes([]byte(text))
	}
	return out.end()
}

// Touched makes Changed true: a snapshot did not reach its place.
func (t *Table) Touched() {
	t.shards[0].mu.Lock()
	defer t.shards[0].mu.Unlock()
	t.shards[0].changed = true
}

// appendPart appends the entries, oldest first.
func (s *shard) appendPart(dst []byte, now int64) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = false
	for i := s.oldest; i != none; i = s.rows[i].newer {
		if r := &s.rows[i]; !s.table.over(r, now) {
			dst = append(dst, r.key[:]...)
			dst = binary.BigEndian.AppendUint32(dst, r.made)
			dst = binary.BigEndian.AppendUint32(dst, r.seen)
			dst = binary.BigEndian.AppendUint32(dst, r.text)
		}
	}
	return dst
}

// summed is a writer that ends with the sum of what was written. The first error sticks to the buffer.
type summed struct {
	out *bufio.Writer
	sum hash.Hash
}

func newSummed(w io.Writer) *summed { return &summed{bufio.NewWriterSize(w, 64<<10), sha256.New()} }

func (s *summed) bytes(p []byte) {
	s.sum.Write(p)
	s.out.Write(p)
}

func (s *summed) number(n uint32) { s.bytes(binary.BigEndian.AppendUint32(nil, n)) }

func (s *summed) end() error {
	s.out.Write(s.sum.Sum(nil))
	return s.out.Flush()
}

// ReadSnapshot adds the entries of a snapshot that have not expired. It is ErrForeign, and nothing is added,
// if the snapshot is not of this owner; any other error means that it is not whole. A time that is ahead of
// now counts as now. Memory is taken only for what has been read.
func (t *Table) ReadSnapshot(r io.Reader, owner [16]byte, now time.Time) error {
	in := &checked{in: bufio.NewReaderSize(r, 64<<10), sum: sha256.New()}
	rows, texts, err := in.snapshot(owner)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.seen, b.seen) })
	latest := uint32(now.Unix())
	for _, r := range rows {
		r.made, r.seen = min(r.made, latest), min(r.seen, latest)
		if !t.over(&r, now.Unix()) {
			t.put(r, texts[r.text], now.Unix())
		}
	}
	return nil
}

// checked reads a snapshot and sums what it has read.
type checked struct {
	in  *bufio.Reader
	sum hash.Hash
	buf [4096 * entrySize]byte
}

// bytes gives the next n bytes, at most 4096 entries, until it is called again.
func (c *checked) bytes(n int) ([]byte, error) {
	if _, err := io.ReadFull(c.in, c.buf[:n]); err != nil {
		return nil, errors.New("cut short")
	}
	c.sum.Write(c.buf[:n])
	return c.buf[:n], nil
}

func (c *checked) number() (int, error) {
	p, err := c.bytes(4)
	if err != nil {
		return 0, err
	}
	return int(binary.BigEndian.Uint32(p)), nil
}

func (c *checked) snapshot(owner [16]byte) (rows []row, texts []string, err error) {
	foreign, err := c.head(owner)
	if err != nil {
		return nil, nil, err
	}
	if rows, err = c.parts(); err != nil {
		return nil, nil, err
	}
	if texts, err = c.texts(); err != nil {
		return nil, nil, err
	}
	if err := c.end(); err != nil {
		return nil, nil, err
	}
	if foreign {
		return nil, nil, ErrForeign
	}
	for i := range rows {
		if int64(rows[i].text) >= int64(len(texts)) {
			return nil, nil, fmt.Errorf("entry %d has text %d of %d", i, rows[i].text, len(texts))
		}
	}
	return rows, texts, nil
}

func (c *checked) head(owner [16]byte) (foreign bool, err error) {
	start, err := c.bytes(len(magic))
	if err != nil {
		return false, err
	}
	if string(start) != magic {
		return false, errors.New("not a snapshot")
	}
	version, err := c.number()
	if err != nil {
		return false, err
	}
	if version != snapshotVersion {
		return false, fmt.Errorf("version %d: this edge knows %d", version, snapshotVersion)
	}
	of, err := c.bytes(len(owner))
	return err == nil && !bytes.Equal(of, owner[:]), err
}

func (c *checked) parts() (rows []row, err error) {
	for {
		n, err := c.number()
		if err != nil || n == 0 {
			return rows, err
		}
		if n > maxEntries-len(rows) {
			return nil, fmt.Errorf("more than %d entries", maxEntries)
		}
		for n > 0 {
			some := min(n, len(c.buf)/entrySize)
			p, err := c.bytes(some * entrySize)
			if err != nil {
				return nil, err
			}
			rows = appendRows(rows, p)
			n -= some
		}
	}
}

func appendRows(rows []row, p []byte) []row {
	for ; len(p) > 0; p = p[entrySize:] {
		rows = append(rows, row{
			key: Key(p), made: binary.BigEndian.Uint32(p[16:]), seen: binary.BigEndian.Uint32(p[20:]),
			text: binary.BigEndian.Uint32(p[24:]),
		})
	}
	return rows
}

func (c *checked) texts() (list []string, err error) {
	n, err := c.number()
	if err != nil {
		return nil, err
	}
	if n > maxTexts {
		return nil, fmt.Errorf("more than %d texts", maxTexts)
	}
	for range n {
		size, err := c.bytes(2)
		if err != nil {
			return nil, err
		}
		text, err := c.bytes(int(binary.BigEndian.Uint16(size)))
		if err != nil {
			return nil, err
		}
		list = append(list, string(text))
	}
	return list, nil
}

// end checks the sum, behind which there must be nothing.
func (c *checked) end() error {
	want := c.sum.Sum(nil)
	var got [sha256.Size]byte
	if _, err := io.ReadFull(c.in, got[:]); err != nil {
		return errors.New("cut short")
	}
	if !bytes.Equal(got[:], want) {
		return errors.New("its sum is wrong")
	}
	if _, err := c.in.ReadByte(); err != io.EOF {
		return errors.New("more behind its end")
	}
	return nil
}
