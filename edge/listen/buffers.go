package listen

import "sync"

// bufferSize is that of the buffers that a connection has only while a request is in progress: one to read
// heads and small bodies, one to gather answers.
const bufferSize = 16 << 10

// buffers keeps those that no connection uses. What grew beyond the size is left to the collector.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

func getBuffer() []byte { return buffers.Get().(*[bufferSize]byte)[:] }

// putBuffer takes back what getBuffer, getRecord or getBody gave.
func putBuffer(b []byte) {
	switch cap(b) {
	case bufferSize:
		buffers.Put((*[bufferSize]byte)(b[:bufferSize]))
	case recordSize:
		records.Put((*[recordSize]byte)(b[:recordSize]))
	case bodySize:
		bodies.Put((*[bodySize]byte)(b[:bodySize]))
	}
}

// recordSize has room for an answer of answerBuffer bytes and for the size line of a chunk behind it.
const recordSize = answerBuffer + 64

// records are for answers that do not fit into a buffer.
var records = sync.Pool{New: func() any { return new([recordSize]byte) }}

func getRecord() []byte { return records.Get().(*[recordSize]byte)[:0] }

// bodySize is the most of a body that is gathered before the Handler is called.
const bodySize = 32 << 10

// bodies are for those that have arrived with their head but do not fit into its buffer.
var bodies = sync.Pool{New: func() any { return new([bodySize]byte) }}

func getBody() []byte { return bodies.Get().(*[bodySize]byte)[:] }
