package http1test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Case is one sequence of bytes with what may come of it.
type Case struct {
	Name        string   `json:"name"`
	Raw         string   `json:"raw"` // one character a byte; {{repeat:TEXT:N}}, {{pause:MS}}, {{halfclose}}
	Expect      string   `json:"expect"`
	Why         string   `json:"why"`
	Level       string   `json:"level"` // must, hardening or control
	Codes       []int    `json:"codes"`
	MustClose   bool     `json:"must_close"`
	MaxUpstream int      `json:"max_upstream_requests"`
	DenyTargets []string `json:"upstream_targets_deny"`
	DenyBytes   []string `json:"upstream_bytes_deny"`
	NeedBytes   []string `json:"upstream_bytes_need"`
	IdleSeconds float64  `json:"idle_s"`
}

// Load reads the cases of a file.
func Load(path string) ([]Case, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cases: %w", err)
	}
	var cases []Case
	if err := json.Unmarshal(text, &cases); err != nil {
		return nil, fmt.Errorf("cases %s: %w", path, err)
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("cases %s: none", path)
	}
	return cases, nil
}

var (
	repeats = regexp.MustCompile(`(?s)\{\{repeat:(.*?):(\d+)\}\}`)
	pauses  = regexp.MustCompile(`\{\{(?:pause:(\d+)|halfclose)\}\}`)
)

// A step is one thing to do on the connection: send, pause or close the sending side.
type step struct {
	send  []byte
	pause time.Duration
	half  bool
}

func (c *Case) steps() []step {
	raw := repeats.ReplaceAllStringFunc(c.Raw, func(m string) string {
		part := repeats.FindStringSubmatch(m)
		n, _ := strconv.Atoi(part[2])
		return strings.Repeat(part[1], n)
	})
	var out []step
	at := 0
	for _, m := range pauses.FindAllStringSubmatchIndex(raw, -1) {
		out = append(out, step{send: latin1(raw[at:m[0]])})
		if m[2] < 0 {
			out = append(out, step{half: true})
		} else {
			ms, _ := strconv.Atoi(raw[m[2]:m[3]])
			out = append(out, step{pause: time.Duration(ms) * time.Millisecond})
		}
		at = m[1]
	}
	return append(out, step{send: latin1(raw[at:])})
}

// latin1 gives one byte for each character.
func latin1(s string) []byte {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		out = append(out, byte(r))
	}
	return out
}

// text gives one character for each byte, so that patterns of characters match bytes.
func text(b []byte) string {
	out := make([]rune, len(b))
	for i, c := range b {
		out[i] = rune(c)
	}
	return string(out)
}

// pattern compiles a pattern of the cases; RE2 has no look-behind, so the one they use is put otherwise.
func pattern(p string) *regexp.Regexp {
	return regexp.MustCompile(strings.ReplaceAll(p, `(?<!\r)\n`, `(?:^|[^\r])\n`))
}
