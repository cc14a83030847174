package upstream

import (
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/wedge-lb/wedge/edge/http1"
)

// A requestBody is a body on loan to net/http, whose goroutine may read it for longer than the exchange
// lasts: after finish it gives nothing more.
type requestBody struct {
	src      io.Reader
	trailers *http1.Fields
	to       http.Header // where net/http looks for the trailers when the body has ended
	ended    func()      // called at the end of the body; guarded by state

	reading sync.Mutex // held during each Read of src
	state   sync.Mutex
	over    bool
	asked   bool  // it was read from
	err     error // the client's fault
	eof     bool
}

var errBodyOver = errors.New("upstream: the exchange is over")

// Read may be called until Close.
func (b *requestBody) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if !b.ask() {
		return 0, errBodyOver
	}
	n, err := b.src.Read(p)
	if err != nil {
		b.note(err)
	}
	return n, err
}

func (b *requestBody) note(err error) {
	b.state.Lock()
	defer b.state.Unlock()
	if err != io.EOF {
		if !b.over {
			b.err = err
		}
		return
	}
	if b.eof {
		return
	}
	b.eof = true
	if b.trailers != nil {
		for _, f := range *b.trailers {
			if http1.TrailerAllowed(f.Name) {
				b.to.Add(string(f.Name), string(f.Value))
			}
		}
	}
	if b.ended != nil {
		b.ended()
	}
}

// quiet has the end of the body no longer told.
func (b *requestBody) quiet() {
	b.state.Lock()
	defer b.state.Unlock()
	b.ended = nil
}

// ask begins a Read; false if there are to be no more.
func (b *requestBody) ask() bool {
	b.state.Lock()
	defer b.state.Unlock()
	b.asked = b.asked || !b.over
	return !b.over
}

// fault is the error of the source, nil if it gave none.
func (b *requestBody) fault() error {
	b.state.Lock()
	defer b.state.Unlock()
	return b.err
}

// Close is net/http's: it will not read on. A Read that waits for the client is ended. A body that was never read
// is left as it is: it may be sent to another backend.
func (b *requestBody) Close() error {
	b.state.Lock()
	wanted := b.asked && !b.over
	b.over = true
	eof := b.eof
	b.state.Unlock()
	if c, ok := b.src.(io.Closer); ok && wanted && !eof {
		return c.Close()
	}
	return nil
}

// finish waits for the Read in progress; there is none after it.
func (b *requestBody) finish() {
	_ = b.Close() // it fails only where there is nothing to interrupt any more
	b.reading.Lock()
	defer b.reading.Unlock()
}
