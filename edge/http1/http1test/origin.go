package http1test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
)

// An Origin is a strict HTTP/1.1 server that records complete requests and every byte it got.
type Origin struct {
	ln net.Listener
	wg sync.WaitGroup

	mu    sync.Mutex
	seen  Seen
	conns map[net.Conn]struct{}
}

// Seen is what an Origin got.
type Seen struct {
	Targets []string // "METHOD target" of each complete request
	Raw     []byte
	Bad     int // messages whose framing was malformed
}

// NewOrigin serves ln until Close.
func NewOrigin(ln net.Listener) *Origin {
	o := &Origin{ln: ln, conns: map[net.Conn]struct{}{}}
	o.wg.Go(o.accept)
	return o
}

// Close ends the listener and its connections and waits for their goroutines.
func (o *Origin) Close() {
	_ = o.ln.Close()
	o.mu.Lock()
	for c := range o.conns {
		_ = c.Close()
	}
	o.mu.Unlock()
	o.wg.Wait()
}

// Reset forgets what was seen.
func (o *Origin) Reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = Seen{}
}

// Seen is what was seen since Reset.
func (o *Origin) Seen() Seen {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.seen
	s.Raw = bytes.Clone(s.Raw)
	return s
}

func (o *Origin) accept() {
	for {
		c, err := o.ln.Accept()
		if err != nil {
			return
		}
		o.mu.Lock()
		o.conns[c] = struct{}{}
		o.mu.Unlock()
		o.wg.Go(func() { o.serve(c) })
	}
}

// Write records bytes as they arrive.
func (o *Origin) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen.Raw = append(o.seen.Raw, p...)
	return len(p), nil
}

var errFraming = errors.New("malformed framing")

func (o *Origin) serve(c net.Conn) {
	defer func() {
		_ = c.Close()
		o.mu.Lock()
		delete(o.conns, c)
		o.mu.Unlock()
	}()
	r := bufio.NewReaderSize(io.TeeReader(c, o), 128<<10)
	for {
		err := o.exchange(r, c)
		if errors.Is(err, errFraming) {
			o.mu.Lock()
			o.seen.Bad++
			o.mu.Unlock()
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}
		if err != nil {
			return
		}
	}
}

// head is what frames a request at the origin.
type head struct {
	start   string
	length  int
	sized   bool
	chunked bool
	expect  bool
}

func (o *Origin) exchange(r *bufio.Reader, w io.Writer) error {
	h, err := readHead(r)
	if err != nil {
		return err
	}
	if h.expect {
		_, _ = io.WriteString(w, "HTTP/1.1 100 Continue\r\n\r\n")
	}
	if h.chunked {
		err = readChunks(r)
	} else {
		_, err = io.CopyN(io.Discard, r, int64(h.length))
	}
	if err != nil {
		return err
	}
	method, rest, _ := strings.Cut(h.start, " ")
	target, _, _ := strings.Cut(rest, " ")
	o.mu.Lock()
	o.seen.Targets = append(o.seen.Targets, method+" "+target)
	o.mu.Unlock()
	body := "ok"
	if method == "HEAD" {
		body = ""
	}
	_, err = io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"+body)
	return err
}

// line reads up to CRLF; a bare LF does not end it.
func line(r *bufio.Reader) (string, error) {
	var out []byte
	for {
		part, err := r.ReadBytes('\n')
		out = append(out, part...)
		if err != nil {
			return "", err
		}
		if bytes.HasSuffix(out, []byte("\r\n")) {
			return text(out[:len(out)-2]), nil
		}
	}
}

func readHead(r *bufio.Reader) (h head, err error) {
	if h.start, err = line(r); err != nil {
		return h, err
	}
	for {
		l, err := line(r)
		if err != nil {
			return h, err
		}
		if l == "" {
			break
		}
		name, value, _ := strings.Cut(l, ":")
		if err := h.field(strings.ToLower(name), strings.Trim(value, " \t")); err != nil {
			return h, err
		}
	}
	if h.chunked && h.sized {
		return h, errFraming
	}
	return h, nil
}

func (h *head) field(name, value string) error {
	switch name {
	case "content-length":
		n, err := strconv.ParseUint(value, 10, 62)
		if err != nil || h.sized && h.length != int(n) {
			return errFraming
		}
		h.length, h.sized = int(n), true
	case "transfer-encoding":
		if !strings.EqualFold(value, "chunked") || h.chunked {
			return errFraming
		}
		h.chunked = true
	case "expect":
		h.expect = strings.EqualFold(value, "100-continue")
	}
	return nil
}

func readChunks(r *bufio.Reader) error {
	for {
		l, err := line(r)
		if err != nil {
			return err
		}
		size, _, _ := strings.Cut(l, ";")
		n, err := strconv.ParseUint(size, 16, 62)
		if err != nil || len(size) > 16 {
			return errFraming
		}
		if n == 0 {
			return readTrailers(r)
		}
		if _, err := io.CopyN(io.Discard, r, int64(n)); err != nil {
			return err
		}
		var end [2]byte
		if _, err := io.ReadFull(r, end[:]); err != nil {
			return err
		}
		if string(end[:]) != "\r\n" {
			return errFraming
		}
	}
}

func readTrailers(r *bufio.Reader) error {
	for {
		if l, err := line(r); err != nil || l == "" {
			return err
		}
	}
}
