package listen

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/http2"
)

var (
	fieldKey    = []byte("Sec-WebSocket-Key")
	errAccept   = errors.New("listen: backend does not know the key of the WebSocket")
	errConnBody = &http1.Error{Status: http.StatusBadRequest, Reason: "extended CONNECT with a length"}
)

// upgrade makes an extended CONNECT (RFC 8441) the request that a backend of HTTP/1.1 knows. Its key is ours
// to make: h2 has none.
func (st *h2Stream) upgrade() error {
	q := &st.x.Request
	if !http1.EqualFold(st.names.protocol, "websocket") {
		return errNoProtocol
	}
	q.Fields.Del("sec-websocket-key")
	if err := q.Check(st.limits.wire()); err != nil {
		return err
	}
	if q.Length != http1.Unknown {
		return errConnBody
	}
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails
	begin := len(st.mem)
	st.mem = base64.StdEncoding.AppendEncode(st.mem, nonce[:])
	q.Fields.Add(fieldKey, st.mem[begin:len(st.mem):len(st.mem)])
	q.Length, q.Upgrade = 0, st.names.protocol
	st.tunneled, st.body.left = true, http1.Unknown
	return nil
}

// accepted tells whether the answer to our key is right (RFC 6455 4.2.2).
func accepted(key, answer []byte) bool {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	sum := sha1.Sum(append(append([]byte(nil), key...), guid...))
	return string(answer) == base64.StdEncoding.EncodeToString(sum[:])
}

// Switch opens the tunnel of an extended CONNECT.
func (r *h2Reply) Switch(_ []byte, f http1.Fields) (io.ReadWriteCloser, error) {
	st := r.st
	if r.state != replyNone || !st.tunneled {
		return nil, errNoSwitch
	}
	key, _ := st.x.Request.Fields.Get("sec-websocket-key")
	if answer, _ := f.Get("sec-websocket-accept"); !accepted(key, answer) {
		return nil, errors.Join(errAccept, r.refuseSwitch())
	}
	f.Del("sec-websocket-accept")
	st.answering(true, true)
	r.head(http.StatusOK, f, http1.Unknown)
	if err := r.send(nil, nil, false); err != nil {
		return nil, err
	}
	r.state = replyEnded
	r.giveBack()
	return &h2Tunnel{st: st}, nil
}

// refuseSwitch answers instead of opening a tunnel to a backend that is none for it.
func (r *h2Reply) refuseSwitch() error {
	if err := r.Head(http.StatusBadGateway, nil, 0); err != nil {
		return err
	}
	return r.End(nil)
}

// An h2Tunnel is the raw stream of a WebSocket. One goroutine may read while another writes; Close ends both.
type h2Tunnel struct{ st *h2Stream }

// Read gives what comes from the client.
func (t *h2Tunnel) Read(p []byte) (int, error) { return t.st.body.Read(p) }

// Write sends to the client, which must take it as it must take an answer.
func (t *h2Tunnel) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := t.st.c.send(t.st, h2Message{data: [2][]byte{p}}); err != nil {
		return 0, err
	}
	t.st.body.touch()
	return len(p), nil
}

// touch makes a Read that waits be as young as what was written.
func (b *h2Body) touch() {
	b.st.c.mu.Lock()
	defer b.st.c.mu.Unlock()
	if !b.since.IsZero() {
		b.since = time.Now()
	}
}

// CloseWrite tells the client that no more comes.
func (t *h2Tunnel) CloseWrite() error { return t.st.c.send(t.st, h2Message{ends: true}) }

// Close ends the stream.
func (t *h2Tunnel) Close() error {
	st := t.st
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if st.gone {
		return nil
	}
	if _, open := c.streams.Get(st.id); open {
		c.dropLocked(st.id, http2.Cancel)
	}
	st.gone = true
	c.releaseLocked(st)
	wake(st.body.readable)
	c.startLocked()
	return nil
}
