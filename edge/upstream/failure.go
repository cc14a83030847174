package upstream

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/wedge-lb/wedge/edge/balance"
)

var (
	errAborted    = errors.New("upstream: the client has left")
	errTooMany1xx = errors.New("upstream: too many interim answers")
	errNoUpgrade  = errors.New("upstream: a switch of protocols that was not asked for")
	errStatus     = errors.New("upstream: a status that is none")
	errNoNotify   = fmt.Errorf("upstream: TLS ended without close_notify: %w", io.ErrUnexpectedEOF)
	errProtocol   = errors.New("upstream: the backend does not speak HTTP/2")
)

func clientGone(sent bool) *balance.Failure {
	return &balance.Failure{Kind: balance.ClientGone, Sent: sent, Err: errAborted}
}

func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
