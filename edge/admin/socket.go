package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// listenUnix makes the socket at path with mode 0600, its folder too if there is none. What a process that is
// gone left there is replaced; a socket that somebody answers at is not.
//
// The socket is made in a folder of its own and then moved, so that it is never open to others for a moment.
func listenUnix(path string) (net.Listener, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := replaceable(path); err != nil {
		return nil, err
	}
	nest, err := os.MkdirTemp(dir, ".a") // 0700
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(nest)
	temp := filepath.Join(nest, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	s := &socket{UnixListener: l, path: path}
	err = os.Chmod(temp, 0o600)
	if err == nil {
		s.file, err = os.Lstat(temp)
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return s, nil
}

// replaceable is nil if there is nothing at path, or a socket that nobody listens at.
func replaceable(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s: there is something that is no socket; move it away or listen elsewhere", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return fmt.Errorf("%s: another edge listens there; stop it or listen elsewhere", path)
	}
	return nil
}

// A socket is a unix listener that takes its file away when it is closed, unless it is another's by now.
type socket struct {
	*net.UnixListener
	path string
	file os.FileInfo
}

func (s *socket) Close() error {
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.file) {
		os.Remove(s.path)
	}
	return s.UnixListener.Close()
}

func (s *socket) Addr() net.Addr { return &net.UnixAddr{Name: s.path, Net: "unix"} }
