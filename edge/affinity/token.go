package affinity

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"time"
)

const (
	version  = 2
	headSize = 1 + 4 + 8 + 4 // version, key id, issued, last seen
	maxID    = 255           // bytes of a backend id
	maxRaw   = headSize + macSize + maxID
	maxText  = (maxRaw*8 + 5) / 6

	maxAhead  = 24 * 60 * 60 // seconds: a token from later than this is not ours to believe
	maxChecks = 4            // candidates of one request; more are hostile
)

// encoding has one text for one token.
var encoding = base64.RawURLEncoding.Strict()

// A Token is what a client's token says. The zero value is a client without one. The caller owns it and
// reuses it by Reset; it must not be copied.
type Token struct {
	Valid  bool
	Fault  Fault // why a token that came was not taken
	checks int
	after  int64 // Unix microseconds: a pin that is made now is to be later
	claims
}

// claims are what a token's bytes say.
type claims struct {
	issued int64  // Unix microseconds: who was pinned is known by it
	seen   uint32 // Unix seconds
	id     [maxID]byte
	size   int // of id
}

// Reset makes t ready for the next request.
func (t *Token) Reset() { t.Valid, t.Fault, t.checks, t.after = false, NoFault, 0, 0 }

// Backend is the id of the backend that a valid token names, in the Token's own memory; nil if it is not valid.
func (t *Token) Backend() []byte {
	if !t.Valid {
		return nil
	}
	return t.id[:t.size]
}

// Leave makes t that of a client whose pin is lost. The one that it gets instead will have been Made later,
// whatever the clock says.
func (t *Token) Leave() {
	after := t.after
	if t.Valid {
		after = t.issued + 1
	}
	t.Reset()
	t.after = after
}

// Made is when the pin of a valid token was made, in Unix microseconds. A refresh does not change it.
func (t *Token) Made() int64 { return t.issued }

// A Fault is why a token was not taken.
type Fault uint8

const (
	NoFault   Fault = iota // none came, or it was taken
	Malformed              // it is no token
	WrongKey               // no key has its id: rotated away, or another edge's
	Forged                 // its MAC is wrong: altered, or of another pool
	Future                 // it is from more than 24 h ahead
	Idle                   // it was not used for too long
	Expired                // its pin is too old
)

var faultNames = [...]string{"", "malformed", "wrong_key", "forged", "future", "idle", "expired"}

func (f Fault) String() string { return faultNames[f] }

// Check reads text into t and tells whether it is a valid token of the pool. It does not allocate.
func (a *Affinity) Check(t *Token, text []byte, now time.Time) bool {
	if t.checks++; t.checks > maxChecks {
		return false
	}
	t.Fault = a.read(&t.claims, text)
	if t.Fault == NoFault {
		t.Fault = a.age(&t.claims, now.Unix())
	}
	t.Valid = t.Fault == NoFault
	return t.Valid
}

// read opens text into c.
func (a *Affinity) read(c *claims, text []byte) Fault {
	var buf [maxRaw]byte
	if len(text) > maxText {
		return Malformed
	}
	n, err := encoding.Decode(buf[:], text)
	if err != nil || encoding.EncodedLen(n) != len(text) || n <= headSize+macSize || buf[0] != version {
		return Malformed
	}
	fault := WrongKey
	for _, k := range a.keys {
		if [4]byte(buf[1:]) != k.id {
			continue
		}
		if k.open(c, (*[headSize]byte)(buf[:]), buf[headSize:n]) {
			return NoFault
		}
		fault = Forged
	}
	return fault
}

// open fills c from a head and what follows it, and tells whether k made them.
func (k *key) open(c *claims, head *[headSize]byte, rest []byte) bool {
	mac := [macSize]byte(rest)
	c.size = copy(c.id[:], rest[macSize:])
	k.hide(mac, c.id[:c.size])
	want := k.sum(head, c.id[:c.size])
	c.issued = int64(binary.BigEndian.Uint64(head[5:]))
	c.seen = binary.BigEndian.Uint32(head[13:])
	return subtle.ConstantTimeCompare(mac[:], want[:]) == 1
}

// age holds c against the two clocks.
func (a *Affinity) age(c *claims, now int64) Fault {
	issued, seen := c.issued/1e6, int64(c.seen)
	switch {
	case issued > now+maxAhead || seen > now+maxAhead:
		return Future
	case now-issued > a.maxAge:
		return Expired
	case now-seen > a.idle:
		return Idle
	}
	return NoFault
}

// Append appends a token for a backend, whose id has 1 to 255 bytes. It does not allocate if dst has room.
func (a *Affinity) Append(dst []byte, backend string, issued, seen time.Time) []byte {
	k := a.keys[0]
	var raw [maxRaw]byte
	head := (*[headSize]byte)(raw[:])
	head[0] = version
	copy(head[1:], k.id[:])
	binary.BigEndian.PutUint64(head[5:], uint64(issued.UnixMicro()))
	binary.BigEndian.PutUint32(head[13:], uint32(seen.Unix()))
	n := headSize + macSize
	id := raw[n : n+copy(raw[n:], backend)]
	mac := k.sum(head, id)
	copy(raw[headSize:], mac[:])
	k.hide(mac, id)
	return encoding.AppendEncode(dst, raw[:n+len(id)])
}
