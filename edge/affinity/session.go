package affinity

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/store"
)

// Sessions are how the application's own session ids pin: each is found in a table as a keyed hash.
type Sessions struct {
	Source  []string // kind:NAME in requests, kind being cookie, header or query; the first that is there counts
	Learn   []string // kind:NAME in responses, cookie or header
	Entries int      // sessions remembered; default 100,000
	Key     []byte   // that ids are hashed under, for good; see LoadSessionKey
}

// sessions are Sessions at work.
type sessions struct {
	key, owner [16]byte
	source     []place
	learn      []place
	bounds     store.TableOptions
	table      *store.Table
}

// A place is where a session id is.
type place struct {
	kind string
	name string // of a field in lower case
}

const defaultEntries = 100_000

func (a *Affinity) remember(o *Sessions, pool string, before *Affinity) error {
	if o == nil {
		return nil
	}
	if len(o.Key) < minSecret {
		return fmt.Errorf("key has %d bytes: want %d or more", len(o.Key), minSecret)
	}
	s := &sessions{
		key: [16]byte(derive(o.Key, "session id", pool)), owner: [16]byte(derive(o.Key, "session table", pool)),
		bounds: store.TableOptions{
			Entries: o.Entries,
			Idle:    time.Duration(a.idle) * time.Second, MaxAge: time.Duration(a.maxAge) * time.Second,
		},
	}
	if s.bounds.Entries <= 0 {
		s.bounds.Entries = defaultEntries
	}
	var err1, err2 error
	s.source, err1 = places(o.Source, "cookie", "header", "query")
	s.learn, err2 = places(o.Learn, "cookie", "header")
	if len(o.Source) == 0 {
		err1 = errors.New("no source")
	}
	if a.sessions = s; before != nil && before.sessions != nil && before.sessions.key == s.key {
		s.table = before.sessions.table
	} else {
		s.table = store.NewTable(s.bounds)
	}
	return errors.Join(err1, err2)
}

func places(list []string, kinds ...string) ([]place, error) {
	var all []place
	for _, text := range list {
		kind, name, _ := strings.Cut(text, ":")
		if name == "" || !strings.Contains(" "+strings.Join(kinds, " ")+" ", " "+kind+" ") {
			return nil, fmt.Errorf("%q: want KIND:NAME, the kind one of %s", text, strings.Join(kinds, ", "))
		}
		if kind == "header" {
			name = strings.ToLower(name)
		}
		all = append(all, place{kind, name})
	}
	return all, nil
}

// A Session is what a request's own session id says. The zero value is a request without one.
type Session struct {
	Present bool   // the request has an id
	Known   bool   // the table has it
	Backend string // id, if it is known
	key     store.Key
}

// FindSession looks for the session of a request. scratch is memory for a while. It allocates only if scratch
// lacks room for the id.
func (a *Affinity) FindSession(
	fields balance.RepeatedHeader, query, scratch []byte, now time.Time) (s Session) {
	if a == nil || a.sessions == nil {
		return s
	}
	for _, p := range a.sessions.source {
		if id := p.find(fields, query, scratch); len(id) > 0 {
			s.Present, s.key = true, siphash(&a.sessions.key, id)
			s.Backend, s.Known = a.sessions.table.Get(s.key, now)
			return s
		}
	}
	return s
}

// find gives a session id, nil if there is none.
func (p *place) find(fields balance.RepeatedHeader, query, scratch []byte) []byte {
	switch p.kind {
	case "header":
		id, _ := fields.Get(p.name)
		return id
	case "query":
		return findParameter(query, p.name, scratch)
	}
	for line, at := fields.Next("cookie", 0); at > 0; line, at = fields.Next("cookie", at) {
		if id := findCookie(line, p.name); len(id) > 0 {
			return id
		}
	}
	return nil
}

// findCookie is the value of the first cookie of a name that has one.
func findCookie(line []byte, name string) []byte {
	for len(line) > 0 {
		var pair []byte
		pair, line, _ = bytes.Cut(line, separator)
		key, value, _ := bytes.Cut(pair, equals)
		if string(bytes.Trim(key, white)) == name {
			if value = unquote(bytes.Trim(value, white)); len(value) > 0 {
				return value
			}
		}
	}
	return nil
}

// findParameter is the value of the first parameter of a name that has one, as its escapes mean it.
func findParameter(query []byte, name string, scratch []byte) []byte {
	for start := 0; start < len(query); {
		end := parameterEnd(query, start)
		key, value, _ := bytes.Cut(query[start:end], equals)
		if string(key) == name && len(value) > 0 {
			return unescape(scratch[:0], value)
		}
		start = end + 1
	}
	return nil
}

// unescape appends what a parameter means (WHATWG URL, 5.1); what is no escape stays as it is.
func unescape(dst, value []byte) []byte {
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(value) && isHex(value[i+1]) && isHex(value[i+2]):
			c = hex(value[i+1])<<4 | hex(value[i+2])
			i += 2
		}
		dst = append(dst, c)
	}
	return dst
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func hex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// Keep notes which backend answered a request of session s that the strategy pins. A session that was only
// lent is not moved.
func (a *Affinity) Keep(s *Session, lent bool, answered *balance.Backend, now time.Time) {
	if !lent && (!s.Known || s.Backend != answered.ID) {
		a.sessions.table.Put(s.key, answered.ID, now)
	}
}

// Forget ends what the table knows of session s: its client is pinned in another pool now.
func (a *Affinity) Forget(s *Session) {
	if s.Known {
		a.sessions.table.Delete(s.key)
	}
}

// Learn notes the sessions that a response begins, and tells whether there are any. One that was only lent is
// not moved.
func (a *Affinity) Learn(
	s *Session, f balance.RepeatedHeader, lent bool, answered *balance.Backend, now time.Time) (found bool) {
	if a == nil || a.sessions == nil {
		return false
	}
	for i := range a.sessions.learn {
		id := a.sessions.learn[i].begun(f)
		if len(id) == 0 {
			continue
		}
		found = true
		key := store.Key(siphash(&a.sessions.key, id))
		if key != s.key || !lent {
			a.sessions.table.Put(key, answered.ID, now)
		}
	}
	return found
}

// begun gives the session id that a response sets, nil if there is none.
func (p *place) begun(f balance.RepeatedHeader) []byte {
	if p.kind == "header" {
		id, _ := f.Get(p.name)
		return id
	}
	for line, at := f.Next("set-cookie", 0); at > 0; line, at = f.Next("set-cookie", at) {
		pair, _, _ := bytes.Cut(line, separator)
		if id := findCookie(pair, p.name); len(id) > 0 {
			return id
		}
	}
	return nil
}

// HasSessions tells whether the pool has a table of sessions.
func (a *Affinity) HasSessions() bool { return a != nil && a.sessions != nil }

// SessionStats are the numbers of a table.
type SessionStats struct {
	Entries int
	Evicted uint64 // had to go for others
}

// SessionStats are those of the pool's table, which it has.
func (a *Affinity) SessionStats() SessionStats {
	return SessionStats{a.sessions.table.Len(), a.sessions.table.Evicted()}
}

// SharesSessions tells whether a and b have the same table.
func (a *Affinity) SharesSessions(b *Affinity) bool {
	return a.HasSessions() && b.HasSessions() && a.sessions.table == b.sessions.table
}

// SessionsChanged drops the sessions that have expired and tells whether there is something to save.
func (a *Affinity) SessionsChanged(now time.Time) bool {
	a.sessions.table.Sweep(now)
	return a.sessions.table.Changed()
}

// SaveSessions writes the table, which it has. One goroutine calls it, or SessionsChanged, at a time.
func (a *Affinity) SaveSessions(w io.Writer, now time.Time) error {
	return a.sessions.table.WriteSnapshot(w, a.sessions.owner, now)
}

// UnsavedSessions makes SessionsChanged true: what SaveSessions wrote did not reach its place.
func (a *Affinity) UnsavedSessions() { a.sessions.table.Touched() }

// LoadSessions adds what SaveSessions wrote.
func (a *Affinity) LoadSessions(r io.Reader, now time.Time) error {
	return a.sessions.table.ReadSnapshot(r, a.sessions.owner, now)
}
