package main_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryCommandExplainsItselfByExample(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	seen := map[string]bool{}
	walk(t, h, nil, seen)
	for _, want := range []string{
		"", "run", "demo", "proxy", "check", "reload", "status", "ca", "strategy", "strategy swap",
		"strategy status", "backend", "backend drain", "backend maint", "backend ready", "backend configured",
		"backend weight", "drain", "overrides",
	} {
		assert.True(t, seen[want], "wedge %s", want)
	}
}

var listed = regexp.MustCompile(`(?m)^  ([a-z]+) +\S`)

// walk reads the help of a command and of those below it, as a user would.
func walk(t *testing.T, h *home, path []string, seen map[string]bool) {
	name := strings.Join(path, " ")
	seen[name] = true
	text := h.ok(append(append([]string{}, path...), "--help")...)
	_, example, found := strings.Cut(text, "\nExamples:\n")
	assert.True(t, found, "wedge %s: no example", name)
	assert.Regexp(t, `^  wedge `+name, example, "the example of wedge %s is of it", name)
	_, commands, found := strings.Cut(text, "\nAvailable Commands:\n")
	if !found {
		return
	}
	commands, _, _ = strings.Cut(commands, "\n\n")
	for _, m := range listed.FindAllStringSubmatch(commands, -1) {
		if m[1] != "help" && m[1] != "completion" { // not ours
			walk(t, h, append(append([]string{}, path...), m[1]), seen)
		}
	}
}

func TestAUsageErrorExitsWithTwoAndTellsTheWayOut(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for args, want := range map[string]string{
		"nonsense":              `unknown command "nonsense"`,
		"prox":                  `did you mean "proxy"?`,
		"strategy nonsense":     `unknown command "nonsense"`,
		"backend drian":         `did you mean "drain"?`,
		"--nonsense":            "unknown flag",
		"status extra":          `"extra" is too much`,
		"strategy status a b":   `"b" is too much`,
		"status -o xml":         "text or json",
		"status --admin here":   "unix:///PATH",
		"demo --for soon":       `"soon"`,
		"proxy":                 "--to :9001",
		"proxy --to :1 --tls x": "off or internal",
		"strategy swap":         "swap NAME --use",
		"strategy swap x":       "--use is missing",
		"strategy swap x --use builtin/y --options {": "not JSON",
		"backend weight shop b0 many":                 `"many": want a number`,
		"backend drain shop b0 --ttl 0s":              "--ttl 0s: want 1s or more",
		"backend drain shop b0 --ttl soon":            `"soon"`,
		"backend ready shop b0 --deadline 1s":         "unknown flag: --deadline",
		"backend weight shop b0 -1":                   `"-1": want a number up to 1000`,
		"backend weight shop b0 -15 --ttl 1h":         `"-15": want a number up to 1000`,
		"backend weight shop b0 1 -x":                 "unknown shorthand flag: 'x'",
		"backend foo p a -c x":                        `unknown command "foo" for "wedge backend"`,
		"backend drian p a --wait -c x":               `did you mean "drain"?`,
		"strategy foo --use x":                        `unknown command "foo" for "wedge strategy"`,
		"foo -c x":                                    `unknown command "foo" for "wedge"`,
		"backend -c x":                                "unknown shorthand flag: 'c'",
		"drain shop b0 --wait 5s":                     "--wait 5s: write --wait=5s",
		"drain --wait 1m30s shop b0":                  "--wait 1m30s: write --wait=1m30s",
		"backend maint shop b0 --wait 5s":             "--wait 5s: write --wait=5s",
		"backend drain shop b0 --wait=-3s":            "--wait=-3s: want a time, such as --wait=1m",
		"backend maint shop b0 --wait=0s":             "--wait=0s: want a time, such as --wait=1m",
		"backend drain shop --wait":                   "drain POOL BACKEND",
		"backend drain shop b0 b1 --wait":             "drain POOL BACKEND",
		"drain shop":                                  "drain POOL BACKEND",
		"backend drain shop":                          "drain POOL BACKEND",
	} {
		r := h.run(strings.Fields(args)...)
		assert.Equal(t, 2, r.code, args)
		assert.Empty(t, r.out, args)
		assert.Contains(t, r.err, want, args)
		assert.Regexp(t, `\nsee wedge .*--help\n$`, r.err, args)
	}
	for args, want := range map[string]string{
		"proxy --to ftp://x:1":               "http://host:port",
		"proxy --to :9001 --strategy nobody": `no built-in strategy "builtin/nobody"`,
		"proxy --to :9001 --listen nowhere":  "host:port",
	} {
		r := h.run(strings.Fields(args)...)
		assert.Equal(t, 2, r.code, args)
		assert.Contains(t, r.err, want, args)
	}
	require.NotEmpty(t, h.ok("--version"))
	require.Contains(t, h.ok(), "Available Commands", "called without anything it tells what there is")
}
