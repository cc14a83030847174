package edge

import "golang.org/x/sys/unix"

// boundUnsent sets the bound for a listener; what it accepts inherits it.
func boundUnsent(fd uintptr) error {
	return unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
}
