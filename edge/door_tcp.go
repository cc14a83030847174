package edge

import (
	"context"
	"net"
	"syscall"
)

// maxUnsent bounds, in bytes, what the kernel takes of an answer before the client has room for it. Without it
// a client that does not read fills megabytes of the kernel's memory, and what others of its kind give back
// there counts as bytes that it took.
const maxUnsent = 256 << 10

// listenTCP opens a listener whose connections have the bound.
func listenTCP(address string) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = boundUnsent(fd) }); e != nil {
			return e
		}
		return err
	}}
	lc.SetMultipathTCP(false) // whose sockets do not hand the bound down
	return lc.Listen(context.Background(), "tcp", address)
}
