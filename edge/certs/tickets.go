package certs

import (
	"crypto/rand"
	"sync"
	"time"
)

const (
	ticketLife = 24 * time.Hour // how long a key signs
	ticketKeys = 3              // the first signs, all verify: a session resumes for up to three days
)

// tickets are the session ticket keys of one policy. Keys are never shared between policies, so a session
// made under one cannot be resumed under another.
type tickets struct {
	mu   sync.Mutex
	keys [][32]byte
	made time.Time
}

func newTickets(now time.Time) *tickets {
	t := &tickets{}
	t.rotate(now)
	return t
}

// rotate puts a new key in front once the first is a day old, and reports whether it did.
func (t *tickets) rotate(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.keys) > 0 && now.Sub(t.made) < ticketLife {
		return false
	}
	var key [32]byte
	rand.Read(key[:]) // never fails, by its contract
	t.keys = append([][32]byte{key}, t.keys[:min(len(t.keys), ticketKeys-1)]...)
	t.made = now
	return true
}

func (t *tickets) all() [][32]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keys
}
