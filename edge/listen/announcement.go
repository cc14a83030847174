package listen

import (
	"bytes"
	"errors"

	"github.com/wedge-lb/wedge/edge/proxyproto"
)

// announcementPlain reads the PROXY header that the connection begins with by way of net. What came behind it
// is left to readPlain.
func (s *socket) announcementPlain() (proxyproto.Header, error) {
	buf := getBuffer()
	defer putBuffer(buf)
	for have := 0; ; {
		n, readErr := s.Conn.Read(buf[have:proxyproto.MaxLen])
		have += n
		h, length, err := proxyproto.Parse(buf[:have])
		if !errors.Is(err, proxyproto.ErrIncomplete) {
			s.ahead = bytes.Clone(buf[length:have])
			return h, err
		}
		if readErr != nil {
			return h, readErr
		}
	}
}
