package edge

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// makeStateDir makes the state directory for its owner alone.
func makeStateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("state_dir %s: %w; give one that can be written", dir, err)
	}
	return nil
}

// quicKeys let QUIC connections that a restart cut end at once instead of by time-out (RFC 9000 10.3), and keep
// address tokens valid.
type quicKeys struct{ Reset, Token [32]byte }

const (
	quicKeyFile = "quic.key"
	maxQUICKeys = 4096 // bytes that are read of it
)

// loadQUICKeys reads the keys, or makes them. A file that is there is never overwritten.
func loadQUICKeys(dir string) (*quicKeys, error) {
	path := filepath.Join(dir, quicKeyFile)
	k := new(quicKeys)
	data, err := readFile(path, maxQUICKeys)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		data = make([]byte, len(k.Reset)+len(k.Token))
		_, _ = rand.Read(data) // never fails
		if err := writeFile(path, data); err != nil {
			return nil, fmt.Errorf("quic keys: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("quic keys: %w", err)
	case len(data) != len(k.Reset)+len(k.Token):
		return nil, fmt.Errorf("quic keys %s: %d bytes instead of %d; remove the file to have new ones made",
			path, len(data), len(k.Reset)+len(k.Token))
	}
	copy(k.Reset[:], data)
	copy(k.Token[:], data[len(k.Reset):])
	return k, nil
}

// openFile opens a regular file of at most limit bytes, which it may outgrow while it is read. To open what is no
// file, such as a pipe, may take for ever.
func openFile(name string, limit int64) (*os.File, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", name)
	case info.Size() > limit:
		return nil, fmt.Errorf("%s is longer than %d bytes", name, limit)
	}
	return os.Open(name)
}

// readFile reads a regular file of at most limit bytes.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := openFile(name, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", name, limit)
	}
	return data, err
}

// writeFile puts a file in place whole or not at all, for its owner alone.
func writeFile(path string, data []byte) error {
	return writeThrough(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// writeThrough is writeFile for what write writes.
func writeThrough(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename in dir outlast a crash.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
