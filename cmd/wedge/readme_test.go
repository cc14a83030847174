package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/config"
)

// root is the checkout.
const root = "../.."

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	return string(text)
}

// blocks are the README's fenced blocks in a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$")
	var list []string
	for _, m := range fence.FindAllStringSubmatch(readme(t), -1) {
		list = append(list, m[1])
	}
	require.NotEmpty(t, list, "README.md has no %s", language)
	return list
}

func TestReadmeNamesTheTwoCommandsOfTheMakefile(t *testing.T) {
	t.Parallel()
	_, section, found := strings.Cut(readme(t), "\n## Two commands\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var commands []string
	for _, m := range regexp.MustCompile(`(?m)^    (\S[^#\n]*?) *(?:#.*)?$`).FindAllStringSubmatch(section, -1) {
		commands = append(commands, m[1])
	}
	assert.Equal(t, []string{"make run", "make test"}, commands)

	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	for _, m := range regexp.MustCompile("make ([a-z][a-z ]*[a-z])").FindAllStringSubmatch(readme(t), -1) {
		for target := range strings.FieldsSeq(m[1]) {
			assert.Regexp(t, `(?m)^`+target+`:`, string(text), "README.md: make %s", m[1])
		}
	}
}

func TestReadmeShowsTheExampleStrategy(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join(root, "examples", "tenant", "main.go"))
	require.NoError(t, err)
	_, code, found := strings.Cut(string(source), "package main\n") // the comment above it points here
	require.True(t, found)
	assert.Equal(t, []string{"package main\n" + code}, blocks(t, "go"))
}

func TestReadmeConfigurationsAreAccepted(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for i, text := range blocks(t, "yaml") {
		_, err := config.Parse("README.md", []byte(text), config.Options{})
		require.NoError(t, err)
		name := fmt.Sprintf("%d.yaml", i)
		h.write(name, text)
		assert.Equal(t, name+": ok\n", h.ok("check", "-c", name))
	}
}

func TestReadmeLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(readme(t), -1) {
		assert.True(t, exists(filepath.Join(root, m[1])), m[1])
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Each shell block runs as it stands, but for ports and places of this machine, in a copy of the checkout.
func TestReadmeCommandsRun(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	copyCheckout(t, h.path("wedge"))
	ports := map[string]string{}
	for i, script := range blocks(t, "sh") {
		script = regexp.MustCompile(`\b\d{4,5}\b`).ReplaceAllStringFunc(script, func(port string) string {
			if ports[port] == "" {
				_, ports[port], _ = strings.Cut(freeAddress(t), ":")
			}
			return ports[port]
		})
		script = strings.ReplaceAll(script, "/tmp/", h.path("tmp")+"/")
		t.Run(fmt.Sprint(i+1), func(t *testing.T) { runScript(t, h, script) })
	}
}

// runScript runs a script to its end, and holds that nothing it started goes on.
func runScript(t *testing.T, h *home, script string) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	var out bytes.Buffer
	c := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	c.Dir, c.Stdout, c.Stderr, c.Env = h.path("wedge"), &out, &out, scriptEnv(t, h)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.WaitDelay = time.Second
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	require.NoError(t, c.Start())
	group := -c.Process.Pid
	defer func() {
		if t.Failed() {
			syscall.Kill(group, syscall.SIGKILL) // what the block left running
		}
	}()
	require.NoError(t, c.Wait(), "%s\n%s", script, &out)
	assert.Eventually(t, func() bool { return errors.Is(syscall.Kill(group, 0), syscall.ESRCH) },
		patience, 20*time.Millisecond, "something that the block started goes on\n%s", &out)
}

// scriptEnv is this process's environment with a home of its own, in which the go command finds what it has
// built before.
func scriptEnv(t *testing.T, h *home) []string {
	names := []string{"GOCACHE", "GOMODCACHE", "GOPATH"}
	values, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	require.NoError(t, err)
	env := append(os.Environ(), "HOME="+h.dir, "XDG_STATE_HOME=")
	for i, value := range strings.Split(strings.TrimSpace(string(values)), "\n") {
		env = append(env, names[i]+"="+value)
	}
	return env
}

// copyCheckout copies what a clone would have: all but what .gitignore names.
func copyCheckout(t *testing.T, to string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, ".gitignore"))
	require.NoError(t, err)
	ignored := append(strings.Fields(string(text)), ".git/")
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		skip := slices.ContainsFunc(ignored, func(pattern string) bool { return matches(pattern, name, d.IsDir()) })
		switch {
		case d.IsDir() && skip:
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		case skip || !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, 0o644)
	}))
}

// matches knows the patterns that this project's .gitignore has: folders, paths, and names anywhere.
func matches(pattern, name string, dir bool) bool {
	folder, isFolder := strings.CutSuffix(pattern, "/")
	if isFolder {
		return dir && name == folder
	}
	if !strings.Contains(pattern, "/") {
		name = filepath.Base(name)
	}
	ok, err := filepath.Match(pattern, name)
	return ok && err == nil
}
