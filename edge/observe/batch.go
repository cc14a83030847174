package observe

import "sync"

// A batch is the records of one shard that wait to be written.
type batch struct {
	records []Record
	data    []byte // what the records' slices point into
}

// add copies r unless the batch is full.
func (b *batch) add(r *Record, maxRecords, maxData int) bool {
	if len(b.records) == maxRecords {
		return false
	}
	kept := *r
	need := 0
	values := kept.values()
	for _, v := range values {
		if len(*v.text) > v.keep {
			*v.text, kept.cut = (*v.text)[:v.keep], true
		}
		need += len(*v.text)
	}
	if len(b.data)+need > maxData {
		return false
	}
	for _, v := range values {
		start := len(b.data)
		b.data = append(b.data, *v.text...)
		*v.text = b.data[start:len(b.data):len(b.data)]
	}
	b.records = append(b.records, kept)
	return true
}

// reset empties b and keeps its memory. Strings of old records live until they are overwritten.
func (b *batch) reset() { b.records, b.data = b.records[:0], b.data[:0] }

// A lane is where the connections of one shard leave their records.
type lane struct {
	mu      sync.Mutex
	filling batch
	dropped uint64

	writing batch // the writer's
	_       [64]byte
}

// take makes what was left the writer's.
func (l *lane) take() *batch {
	l.writing.reset()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.filling, l.writing = l.writing, l.filling
	return &l.writing
}
