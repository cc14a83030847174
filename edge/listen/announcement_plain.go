//go:build !linux || race

package listen

import "github.com/wedge-lb/wedge/edge/proxyproto"

// announcement reads the PROXY header that the connection begins with.
func (s *socket) announcement() (proxyproto.Header, error) { return s.announcementPlain() }
