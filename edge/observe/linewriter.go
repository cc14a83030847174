package observe

import (
	"io"
	"log/slog"
)

const fullBuffer = 64 << 10 // bytes that are written at once

// A lineWriter gathers lines into large writes. What cannot be written is lost: a full disk must stop
// nothing.
type lineWriter struct {
	to      io.Writer
	log     *slog.Logger
	buf     []byte
	lines   uint64 // in buf
	failing bool
	torn    bool // the last line that was written is a part
}

// added counts the line that was appended to buf, and gives the number of lines lost by writing.
func (w *lineWriter) added() uint64 {
	if w.lines++; len(w.buf) < fullBuffer {
		return 0
	}
	return w.flush()
}

// flush writes what is in buf and gives the number of lines lost.
func (w *lineWriter) flush() (lost uint64) {
	if len(w.buf) == 0 {
		return 0
	}
	defer func() { w.buf, w.lines = w.buf[:0], 0 }()
	if w.torn {
		if _, err := w.to.Write([]byte{'\n'}); err != nil {
			return w.lines
		}
		w.torn = false
	}
	n, err := w.to.Write(w.buf)
	if err == nil {
		if w.failing {
			w.log.Info("access log is written again")
		}
		w.failing = false
		return 0
	}
	w.torn = n > 0 && w.buf[n-1] != '\n'
	if !w.failing {
		w.log.Error("access log cannot be written", "error", err)
	}
	w.failing = true
	return w.lines - countLines(w.buf[:n])
}

func countLines(b []byte) (n uint64) {
	for _, c := range b {
		if c == '\n' {
			n++
		}
	}
	return n
}
