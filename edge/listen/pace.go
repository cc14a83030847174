package listen

import "time"

// A pace is what a peer may still make us wait, in one direction: a token bucket in units of time. It begins
// full, each byte adds 1/rate seconds, waiting takes away. So the peer holds an average of rate bytes a
// second, after a grace of full; a single wait is never longer than full.
type pace struct {
	full, left time.Duration
	perByte    time.Duration
}

func newPace(full time.Duration, rate int) pace {
	return pace{full: full, left: full, perByte: time.Second / time.Duration(rate)}
}

// refill begins a new message.
func (p *pace) refill() { p.left = p.full }

// moved notes that n bytes came after a wait.
func (p *pace) moved(n int, wait time.Duration) {
	if n >= int(p.full/p.perByte) {
		p.left = p.full
		return
	}
	p.left = min(p.left-wait+time.Duration(n)*p.perByte, p.full)
}
