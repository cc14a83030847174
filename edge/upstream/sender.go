package upstream

import (
	"bytes"
	"io"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/http1"
)

// A sender writes the body of one request after the other while its conn waits for the answer, on a goroutine
// of its own. But for stage and done its fields belong to that goroutine until done was received.
type sender struct {
	c       *conn
	run     func() // bound once
	done    chan struct{}
	started bool // a run has not been received from done

	stage  atomic.Int32
	doneAt atomic.Int64
	body   io.Reader
	whole  bytes.Reader
	length int64
	last   *http1.Fields
	buf    []byte

	bodyErr  error // the client's fault
	writeErr error // the backend's
}

// What a sender does; it only goes up.
const (
	sending int32 = iota // the body's end has not been read
	ending               // it has; the last bytes are being written
	over                 // the goroutine has nothing left to do
)

func (s *sender) init(c *conn) {
	s.c, s.done = c, make(chan struct{}, 1)
	s.run = s.send
}

// start sends the body of r.
func (s *sender) start(r *http1.Request) {
	s.body, s.length, s.last = r.Body, r.Length, r.Trailers
	if r.Buffered != nil { // which can be sent again, unlike Body
		s.whole.Reset(r.Buffered)
		s.body = &s.whole
	}
	s.bodyErr, s.writeErr = nil, nil
	s.buf = s.c.backend.buffer()
	s.stage.Store(sending)
	s.started = true
	go s.run()
}

func (s *sender) send() {
	var err error
	if s.length == http1.Unknown {
		err = s.sendChunked()
	} else {
		err = s.sendSized()
	}
	s.writeErr = err
	wake := s.bodyErr != nil || timedOut(err)
	s.doneAt.Store(s.c.backend.t.now())
	s.stage.Store(over)
	if wake {
		s.c.closeSocket() // no answer to a part of a request is waited for
	}
	s.done <- struct{}{}
}

func (s *sender) sendSized() error {
	for left := s.length; left > 0; {
		n, err := s.read(s.buf[:min(int64(len(s.buf)), left)])
		if left -= int64(n); left == 0 {
			s.stage.Store(ending)
		} else if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if n > 0 {
			if _, werr := s.c.write(s.buf[:n]); werr != nil {
				return werr
			}
		}
		if left > 0 && err != nil {
			s.bodyErr = err
			return nil
		}
	}
	return nil
}

// chunkEnd is the room behind a chunk for its CRLF.
const chunkEnd = 2

func (s *sender) sendChunked() error {
	for {
		n, err := s.read(s.buf[http1.ChunkRoom : len(s.buf)-chunkEnd])
		if err != nil && err != io.EOF {
			s.bodyErr = err
			return nil
		}
		out := s.buf[http1.ChunkRoom:http1.ChunkRoom]
		if n > 0 {
			start := http1.PutChunkHead(s.buf, n)
			out = append(s.buf[start:http1.ChunkRoom+n], "\r\n"...)
		}
		if err == io.EOF {
			s.stage.Store(ending)
			out = http1.AppendLastChunk(out, s.last)
		}
		if len(out) > 0 {
			if _, werr := s.c.write(out); werr != nil {
				return werr
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// read reads of the body; one that gives nothing many times over is at fault.
func (s *sender) read(p []byte) (n int, err error) {
	for range 100 {
		if n, err = s.body.Read(p); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// mayWait tells, after a read for the answer timed out, whether there is time left: the request has not been
// sent yet, or only a while ago.
func (s *sender) mayWait() bool {
	if !s.started {
		return false
	}
	return s.stage.Load() != over || s.c.backend.t.now()-s.doneAt.Load() < int64(s.c.patience)
}

// endTime is how long the last bytes of a body may take when the answer has been read already.
const endTime = time.Second

// finish waits for the sender to end, and ends it if the body has not: then the connection is closed, and so
// is the body. It is true if the whole request was sent.
func (s *sender) finish() bool {
	if !s.started {
		return true
	}
	if s.stage.Load() == sending {
		s.c.closeSocket()
		if c, ok := s.body.(io.Closer); ok {
			_ = c.Close() // it fails only where there is nothing to interrupt any more
		}
	}
	s.join()
	return s.bodyErr == nil && s.writeErr == nil
}

// join waits for the goroutine to end. One that still writes the last bytes, to a backend that has answered
// already, has little time left.
func (s *sender) join() {
	select {
	case <-s.done:
	default:
		timer := time.AfterFunc(endTime, s.c.closeSocket)
		<-s.done
		timer.Stop()
	}
	s.started = false
	s.c.backend.giveBuffer(s.buf)
	s.buf, s.body, s.last = nil, nil, nil
	s.whole.Reset(nil)
}

// badBody is the client's fault, once the sender is over.
func (s *sender) badBody() error {
	if s.started && s.stage.Load() == over {
		return s.bodyErr
	}
	return nil
}

// stuck tells whether the backend stopped taking the body.
func (s *sender) stuck() bool {
	return s.started && s.stage.Load() == over && s.writeErr != nil && timedOut(s.writeErr)
}
