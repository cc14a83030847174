package health

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// ask probes once; nil is a healthy answer.
func (t *target) ask(ctx context.Context) error {
	ctx, stop := context.WithTimeoutCause(ctx, t.probe.Timeout, errSlow)
	defer stop()
	var where string
	var err error
	switch t.probe.Type {
	case TCP:
		where, err = "tcp://"+t.address, t.askTCP(ctx)
	case GRPC:
		where = t.scheme + "://" + t.address + checkMethod
		err = t.askGRPC(ctx, where)
	default:
		where = t.scheme + "://" + t.address + t.probe.Path
		err = t.askHTTP(ctx, where)
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("probe %s: %w", where, err)
}

var errSlow = errors.New("no answer in time")

// bodyLimit is how much of an answer's body is looked at.
const bodyLimit = 64 << 10

func (t *target) askHTTP(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Host = t.probe.Host
	a, err := t.roundTrip(r)
	if err != nil {
		return err
	}
	defer a.Body.Close() // its error says nothing that the answer did not
	if !t.probe.healthy(a.StatusCode) {
		return fmt.Errorf("status %d", a.StatusCode)
	}
	return contains(a.Body, t.probe.Body)
}

func (t *target) roundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("User-Agent", "wedge-health")
	return t.probe.Transport.RoundTrip(r)
}

// contains looks for text in the beginning of a body, and reads no further than it.
func contains(body io.Reader, text string) error {
	if text == "" {
		return nil
	}
	body = io.LimitReader(body, bodyLimit)
	seen, part := []byte(nil), make([]byte, 4<<10)
	for {
		n, err := body.Read(part)
		seen = append(seen, part[:n]...)
		if bytes.Contains(seen[max(len(seen)-n-len(text), 0):], []byte(text)) {
			return nil
		}
		if err == io.EOF {
			return fmt.Errorf("the body has no %q", text)
		}
		if err != nil {
			return err
		}
	}
}

// patience is how long a connection must last.
const patience = 50 * time.Millisecond

// askTCP connects. A proxy before the backend may accept what it cannot pass on, and then ends it at once.
func (t *target) askTCP(ctx context.Context) error {
	c, err := t.probe.Dial(ctx, "tcp", t.address)
	if err != nil {
		return err
	}
	defer c.Close() // nothing was sent that could be lost
	if err := c.SetReadDeadline(time.Now().Add(min(patience, t.probe.Timeout/2))); err != nil {
		return err
	}
	n, err := c.Read(make([]byte, 1))
	if n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	if err == io.EOF {
		return errors.New("the connection was closed at once")
	}
	return err
}
