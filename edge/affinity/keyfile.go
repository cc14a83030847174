package affinity

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	keyFile        = "affinity.key"
	sessionKeyFile = "sessions.key"

	keyBytes  = 32
	maxKeyLen = 4096 // bytes of the file
)

// LoadKeyring gives the keyring of an edge whose configuration has no secret: the key kept in dir, which is
// made when there is none yet. A file that is there but cannot be read as a key is an error and stays as it
// is: another key would end every session.
func LoadKeyring(dir string) (*Keyring, error) {
	secret, err := loadKey(dir, keyFile, "affinity key")
	if err != nil {
		return nil, err
	}
	return NewKeyring(secret)
}

// LoadSessionKey gives the key that session ids are hashed under. It is kept in dir as LoadKeyring's is,
// apart from the secrets of tokens: those are rotated, and a table cannot be hashed anew.
func LoadSessionKey(dir string) ([]byte, error) { return loadKey(dir, sessionKeyFile, "session key") }

func loadKey(dir, name, what string) ([]byte, error) {
	path := filepath.Join(dir, name)
	secret, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		secret, err = makeKey(dir, path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", what, path, err)
	}
	return secret, nil
}

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeyLen {
		return nil, errors.New("not a key: move it away to have a new one made")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	secret, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(secret) != keyBytes {
		return nil, errors.New("not a key: restore it, or move it away to have a new one made")
	}
	return secret, nil
}

// makeKey writes a new key beside path and moves it there unless another process was first.
func makeKey(dir, path string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	secret := make([]byte, keyBytes)
	rand.Read(secret) // never fails
	temp, err := writeTemp(dir, base64.StdEncoding.EncodeToString(secret)+"\n")
	if err != nil {
		return nil, err
	}
	defer os.Remove(temp)
	// A link, unlike a rename, never takes the place of a file that is there by now.
	if err := os.Link(temp, path); errors.Is(err, fs.ErrExist) {
		return readKey(path)
	} else if err != nil {
		return nil, err
	}
	return secret, syncDir(dir)
}

// writeTemp writes a file that only we may read and gives its name once it is on the disk.
func writeTemp(dir, text string) (string, error) {
	f, err := os.CreateTemp(dir, ".affinity-*") // 0600
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
