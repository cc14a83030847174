package http1test

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Idle is how long a connection that stays open is listened to, if the case does not say.
const Idle = 600 * time.Millisecond

// settle lets the last bytes reach the origin.
const settle = 50 * time.Millisecond

// Run plays the cases in so many lanes beside each other, each with an origin of its own, and reports each
// case as a subtest. For each lane start gives the address of a proxy in front of that origin.
func Run(t *testing.T, cases []Case, lanes int, start func(origin net.Addr) (proxy string)) {
	problems := make([][]string, len(cases))
	var wg sync.WaitGroup
	for lane := range lanes {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		o := NewOrigin(ln)
		t.Cleanup(o.Close)
		proxy := start(ln.Addr())
		wg.Go(func() {
			for i := lane; i < len(cases); i += lanes {
				problems[i] = cases[i].Play(proxy, o)
			}
		})
	}
	wg.Wait()
	for i, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if len(problems[i]) > 0 {
				t.Errorf("%s: %s (%s)", c.Level, strings.Join(problems[i], "; "), c.Why)
			}
		})
	}
}

// Play plays c against a proxy in front of o and gives what was wrong.
func (c *Case) Play(proxy string, o *Origin) []string {
	o.Reset()
	conn, err := net.DialTimeout("tcp", proxy, 3*time.Second)
	if err != nil {
		return []string{err.Error()}
	}
	codes, closed := c.talk(conn.(*net.TCPConn))
	time.Sleep(settle)
	return c.judge(codes, closed, o.Seen())
}

var statusLine = regexp.MustCompile(`HTTP/1\.[01] (\d{3})`)

// talk sends the steps and gives the status codes that came back, and whether the proxy closed.
func (c *Case) talk(conn *net.TCPConn) (codes []int, closed bool) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetWriteDeadline(time.Now().Add(3 * time.Second))
	for _, s := range c.steps() {
		if err := s.do(conn); err != nil {
			break // the proxy may well close before it has read everything
		}
	}
	out, closed := listen(conn, c.idle())
	for _, m := range statusLine.FindAllSubmatch(out, -1) {
		n, _ := strconv.Atoi(string(m[1]))
		codes = append(codes, n)
	}
	return codes, closed
}

func (c *Case) idle() time.Duration {
	if c.IdleSeconds > 0 {
		return time.Duration(c.IdleSeconds * float64(time.Second))
	}
	return Idle
}

func (s *step) do(c *net.TCPConn) error {
	if s.half {
		return c.CloseWrite()
	}
	time.Sleep(s.pause)
	_, err := c.Write(s.send)
	return err
}

// listen reads until nothing came for idle, or the other side closed.
func listen(c net.Conn, idle time.Duration) (out []byte, closed bool) {
	buf := make([]byte, 64<<10)
	for {
		_ = c.SetReadDeadline(time.Now().Add(idle))
		n, err := c.Read(buf)
		out = append(out, buf[:n]...)
		if nerr, ok := err.(net.Error); ok && nerr.Timeout() {
			return out, false
		}
		if err != nil {
			return out, true
		}
	}
}

func (c *Case) judge(codes []int, closed bool, seen Seen) []string {
	final := slices.IndexFunc(codes, func(n int) bool { return n >= 200 })
	status := 0
	if final >= 0 {
		status = codes[final]
	}
	served := status > 0 && status < 400
	raw := text(seen.Raw)
	bad := c.judgeOrigin(raw, seen)
	switch {
	case c.Expect == "reject" && served:
		bad = append(bad, fmt.Sprintf("answered %d", status))
	case c.Expect == "reject" && status > 0 && len(c.Codes) > 0 && !slices.Contains(c.Codes, status):
		bad = append(bad, fmt.Sprintf("code %d not in %v", status, c.Codes))
	case strings.HasPrefix(c.Expect, "forward") && !served:
		bad = append(bad, fmt.Sprintf("not served (%v)", codes))
	}
	if c.Expect == "reject" && c.MustClose && !closed && status > 0 {
		bad = append(bad, "kept open")
	}
	if served {
		for _, p := range c.NeedBytes {
			if !pattern(p).MatchString(raw) {
				bad = append(bad, "missing /"+p+"/")
			}
		}
	}
	return bad
}

func (c *Case) judgeOrigin(raw string, seen Seen) (bad []string) {
	if n := len(seen.Targets); n > c.MaxUpstream {
		bad = append(bad, fmt.Sprintf("upstream saw %d complete requests", n))
	}
	for _, deny := range c.DenyTargets {
		if slices.ContainsFunc(seen.Targets, func(t string) bool { return strings.Contains(t, deny) }) {
			bad = append(bad, "upstream served "+deny)
		}
	}
	for _, p := range c.DenyBytes {
		if pattern(p).MatchString(raw) {
			bad = append(bad, "forwarded /"+p+"/")
		}
	}
	if seen.Bad > 0 {
		bad = append(bad, "origin got malformed framing")
	}
	return bad
}
