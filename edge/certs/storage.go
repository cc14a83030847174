package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

const lockPoll = 50 * time.Millisecond

// storage is certmagic's file storage with two differences: a write also syncs the directory, and locks are
// those of the kernel, which need no heartbeat and end with the process. Files are 0600 in directories 0700.
type storage struct {
	*certmagic.FileStorage

	mu    sync.Mutex
	locks map[string]func() // held by this process: name to unlock
}

func newStorage(dir string) (*storage, error) {
	if err := privateDir(dir); err != nil {
		return nil, fmt.Errorf("certificate storage: %w", err)
	}
	return &storage{FileStorage: &certmagic.FileStorage{Path: dir}, locks: map[string]func(){}}, nil
}

// Store implements certmagic.Storage.
func (s *storage) Store(_ context.Context, key string, value []byte) error {
	path := s.Filename(key)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return writeDurably(path, value, 0o600)
}

// Lock implements certmagic.Locker.
func (s *storage) Lock(ctx context.Context, name string) error {
	for {
		if ok, err := s.TryLock(ctx, name); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// TryLock implements certmagic.TryLocker.
func (s *storage) TryLock(_ context.Context, name string) (bool, error) {
	path := s.lockPath(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, err
	}
	unlock, err := tryLockFile(path)
	if unlock == nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locks[name] = unlock
	return true, nil
}

// Unlock implements certmagic.Locker.
func (s *storage) Unlock(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	unlock, ok := s.locks[name]
	if !ok {
		return fmt.Errorf("lock %s is not held", name)
	}
	delete(s.locks, name)
	unlock()
	return nil
}

func (s *storage) lockPath(name string) string {
	return filepath.Join(s.Path, "locks", certmagic.StorageKeys.Safe(name)+".lock")
}

// errUnusable marks a stored certificate and key that can be read but do not make a pair.
var errUnusable = errors.New("stored certificate and key are not a pair")

// pair reads what is stored for host, without asking anyone. It returns fs.ErrNotExist if there is nothing.
func (s *storage) pair(ctx context.Context, issuerKey, host string) (*tls.Certificate, error) {
	certPEM, err := s.Load(ctx, certmagic.StorageKeys.SiteCert(issuerKey, host))
	if err != nil {
		return nil, err
	}
	keyPEM, err := s.Load(ctx, certmagic.StorageKeys.SitePrivateKey(issuerKey, host))
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnusable, err)
	}
	return &cert, nil
}

// setAside moves an unusable pair out of the way, so that another can be ordered: a crash in the middle of a
// renewal leaves a new key beside an old certificate. It touches nothing that still is a pair.
func (s *storage) setAside(ctx context.Context, issuerKey, host string) (bool, error) {
	if _, err := s.pair(ctx, issuerKey, host); !errors.Is(err, errUnusable) {
		return false, nil
	}
	dir := s.Filename(certmagic.StorageKeys.CertsSitePrefix(issuerKey, host))
	aside := dir + ".unusable"
	if err := os.RemoveAll(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := os.Rename(dir, aside); err != nil {
		return false, err
	}
	return true, syncDir(filepath.Dir(dir))
}
