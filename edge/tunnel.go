package edge

import (
	"errors"
	"io"
	"sync"
)

// halfCloser is a stream that can end its writing side alone.
type halfCloser interface{ CloseWrite() error }

// tunnel carries bytes both ways between two raw streams until both directions have ended or one has failed,
// closes both, and gives the bytes from the client and to it.
func tunnel(client, backend io.ReadWriteCloser) (in, out int64) {
	var wg sync.WaitGroup
	t := &joint{client: client, backend: backend}
	wg.Go(func() { in = t.carry(backend, client) })
	out = t.carry(client, backend)
	wg.Wait()
	t.close()
	return in, out
}

// joint is the two ends of a tunnel.
type joint struct {
	client, backend io.ReadWriteCloser
	once            sync.Once
}

// carry copies one direction and passes its end on.
func (t *joint) carry(to io.Writer, from io.Reader) int64 {
	n, err := io.Copy(plainWriter{to}, plainReader{from})
	if err != nil && !errors.Is(err, io.EOF) {
		t.close()
		return n
	}
	h, ok := to.(halfCloser)
	if !ok || h.CloseWrite() != nil {
		t.close()
	}
	return n
}

func (t *joint) close() {
	t.once.Do(func() {
		t.client.Close()
		t.backend.Close()
	})
}

// plainReader and plainWriter hide the shortcuts of io.Copy, which would go around the deadlines that the
// streams keep.
type plainReader struct{ io.Reader }
type plainWriter struct{ io.Writer }
