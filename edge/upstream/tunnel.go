package upstream

import (
	"io"
	"sync"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

// A tunnel is the raw stream after a 101. Reading and writing are independent of each other.
type tunnel struct {
	c    *conn
	once sync.Once
}

// switched hands the connection over after a 101 that was asked for.
func (c *conn) switched(r *http1.Request, a *http1.Response) *balance.Failure {
	if r.Upgrade == nil || !http1.EqualFold(c.parser.Upgrade(), string(r.Upgrade)) {
		return c.failed(errNoUpgrade, true)
	}
	if err := c.sock.unbound(); err != nil {
		return c.failed(err, true)
	}
	a.Body = ended{}
	a.Conn = &tunnel{c: c}
	return nil
}

// Read gives first what came with the head. The end of a raw stream is for its own protocol to tell from a cut.
func (t *tunnel) Read(p []byte) (int, error) {
	n, err := t.c.rd.Read(p)
	if err == errNoNotify {
		err = io.EOF
	}
	return n, err
}

func (t *tunnel) Write(p []byte) (int, error) { return t.c.write(p) }

// CloseWrite ends our direction only.
func (t *tunnel) CloseWrite() error {
	if t.c.secure != nil {
		return t.c.secure.CloseWrite()
	}
	return t.c.sock.CloseWrite()
}

// Close ends the connection, which is never used again.
func (t *tunnel) Close() error {
	t.once.Do(func() {
		t.c.request.Abort.Detach()
		t.c.discard()
	})
	return nil
}
