package discover

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	maxFile = 1 << 20                // bytes
	settle  = 100 * time.Millisecond // since the last write, before changed content is believed
	settles = 10                     // times that is waited for
)

// A File is the list of members in a file. It is watched by content, so that a file written in place, one put
// in place by a rename and one behind a symlink that moves are all seen. Content that a writer may not be done
// with is waited for.
type File struct {
	path  string
	parse func(data []byte) ([]Member, error)

	read    bool
	sum     [sha256.Size]byte // of the content that the rest is about
	members []Member
	err     error
}

// NewFile makes the source; parse makes members of the content.
func NewFile(path string, parse func(data []byte) ([]Member, error)) *File {
	return &File{path: path, parse: parse}
}

// Look reads the file, and parses it if its content has changed.
func (f *File) Look(ctx context.Context) (Finding, error) {
	for range settles {
		data, written, err := f.content()
		if err != nil {
			f.read = false
			return Finding{}, err
		}
		sum := sha256.Sum256(data)
		if f.read && sum == f.sum {
			break
		}
		if age := time.Since(written); age >= 0 && age < settle && pause(ctx, settle-age) {
			continue
		}
		f.members, f.err = f.parse(data)
		f.read, f.sum = true, sum
		break
	}
	if !f.read {
		return Finding{}, fmt.Errorf("file %s: it does not stop changing", f.path)
	}
	return Finding{Members: f.members}, f.err
}

// pause is false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// content reads the file, without waiting for a pipe's writer, and tells when it was written.
func (f *File) content() ([]byte, time.Time, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, time.Time{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, time.Time{}, fmt.Errorf("file %s: not a file of at most %d bytes", f.path, maxFile)
	}
	file, err := os.Open(f.path)
	if err != nil {
		return nil, time.Time{}, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if info, again := file.Stat(); again == nil {
		return data, info.ModTime(), errors.Join(err, file.Close())
	}
	return data, time.Time{}, errors.Join(err, file.Close())
}
