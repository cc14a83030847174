package certs_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/certs"
)

const patience = 30 * time.Second

func shop(hosts ...string) certs.Site { return certs.Site{Name: "shop", Hosts: hosts} }

// obtained waits until a handshake for name succeeds and returns its state.
func obtained(t *testing.T, e *edge, p *pebble, name string) tls.ConnectionState {
	t.Helper()
	var state tls.ConnectionState
	require.Eventually(t, func() bool {
		var err error
		state, err = e.dialTLS(clientFor(p.roots(t), name))
		return err == nil
	}, patience, 50*time.Millisecond)
	return state
}

func TestACMEIssuesAndARestartDoesNotIssueAgain(t *testing.T) {
	for _, challenge := range []string{"http-01", "tls-alpn-01"} {
		t.Run(challenge, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t)
			p := startPebble(t, e)
			dir := t.TempDir()
			m := newManager(t, dir, nil)
			e.use(m)
			settings := p.settings(challenge, shop("shop.test", "www.shop.test"))
			require.NoError(t, m.Apply(t.Context(), settings))
			stop := run(t, m)
			first := obtained(t, e, p, "shop.test")
			obtained(t, e, p, "www.shop.test")
			stop()
			require.EqualValues(t, 2, p.orders.Load())
			require.EqualValues(t, 1, p.accounts.Load())
			assertPrivate(t, filepath.Join(dir, "certificates"))

			again := newManager(t, dir, nil)
			e.use(again)
			require.NoError(t, again.Apply(t.Context(), settings))
			state, err := e.dialTLS(clientFor(p.roots(t), "SHOP.test"))
			require.NoError(t, err, "served at once, before Run")
			assert.True(t, first.PeerCertificates[0].Equal(state.PeerCertificates[0]))
			stop = run(t, again)
			require.NoError(t, again.Apply(t.Context(), p.settings(challenge, shop("shop.test", "new.shop.test"))))
			obtained(t, e, p, "new.shop.test")
			stop()
			assert.EqualValues(t, 3, p.orders.Load(), "only the new host")
			assert.EqualValues(t, 1, p.accounts.Load(), "the account is used again")
		})
	}
}

func assertPrivate(t *testing.T, root string) {
	t.Helper()
	files := 0
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, path)
		if !d.IsDir() {
			files++
		}
		return nil
	}))
	assert.Greater(t, files, 6)
}

func TestACMERenewsWithoutAFailedHandshake(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := startPebble(t, e)
	dir := t.TempDir()
	m := newManager(t, dir, nil)
	e.use(m)
	settings := p.settings("", shop("shop.test"))
	require.NoError(t, m.Apply(t.Context(), settings))
	stop := run(t, m)
	first := obtained(t, e, p, "shop.test")
	stop()

	eager := newManager(t, dir, func(o *certs.Options) { o.RenewAt = 2 }) // always due
	e.use(eager)
	require.NoError(t, eager.Apply(t.Context(), settings))
	run(t, eager)
	serials := map[string]bool{first.PeerCertificates[0].SerialNumber.String(): true}
	require.Eventually(t, func() bool {
		state, err := e.dialTLS(clientFor(p.roots(t), "shop.test"))
		require.NoError(t, err)
		serials[state.PeerCertificates[0].SerialNumber.String()] = true
		return len(serials) >= 3
	}, patience, 5*time.Millisecond)
	assert.EqualValues(t, 1, p.accounts.Load())
}

func TestACMESurvivesRefusedNonces(t *testing.T) {
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "50")
	e := newEdge(t)
	p := startPebble(t, e)
	m := newManager(t, t.TempDir(), nil)
	e.use(m)
	require.NoError(t, m.Apply(t.Context(), p.settings("", shop("a.test", "b.test", "c.test"))))
	run(t, m)
	for _, name := range []string{"a.test", "b.test", "c.test"} {
		obtained(t, e, p, name)
	}
}

func TestACMEHealsWhatACrashTore(t *testing.T) {
	for name, tear := range map[string]func(t *testing.T, crt, key, otherKey string){
		"a new key beside an old certificate": func(t *testing.T, _, key, otherKey string) {
			data, err := os.ReadFile(otherKey)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(key, data, 0o600))
		},
		"a certificate without a key": func(t *testing.T, _, key, _ string) { require.NoError(t, os.Remove(key)) },
		"an empty certificate": func(t *testing.T, crt, _, _ string) {
			require.NoError(t, os.Truncate(crt, 0))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t)
			p := startPebble(t, e)
			dir := t.TempDir()
			m := newManager(t, dir, nil)
			e.use(m)
			settings := p.settings("", shop("a.test", "b.test"))
			require.NoError(t, m.Apply(t.Context(), settings))
			stop := run(t, m)
			obtained(t, e, p, "a.test")
			intact := obtained(t, e, p, "b.test")
			stop()
			tear(t, stored(t, dir, "a.test.crt"), stored(t, dir, "a.test.key"), stored(t, dir, "b.test.key"))
			half := filepath.Join(filepath.Dir(stored(t, dir, "b.test.crt")), ".tmp-1")
			require.NoError(t, os.WriteFile(half, []byte("-----BEGIN"), 0o600))

			again := newManager(t, dir, nil)
			e.use(again)
			require.NoError(t, again.Apply(t.Context(), settings))
			run(t, again)
			obtained(t, e, p, "a.test")
			state := obtained(t, e, p, "b.test")
			assert.True(t, intact.PeerCertificates[0].Equal(state.PeerCertificates[0]))
			assert.EqualValues(t, 3, p.orders.Load())
		})
	}
}

func stored(t *testing.T, dir, name string) string {
	t.Helper()
	var found string
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.Name() == name && !strings.Contains(path, ".unusable") {
			found = path
		}
		return err
	}))
	require.NotEmpty(t, found, name)
	return found
}

func TestACMEABrokenAccountKeyIsKept(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := startPebble(t, e)
	dir := t.TempDir()
	m := newManager(t, dir, nil)
	e.use(m)
	require.NoError(t, m.Apply(t.Context(), p.settings("", shop("a.test"))))
	stop := run(t, m)
	obtained(t, e, p, "a.test")
	stop()
	key := stored(t, dir, "account.key")
	require.NoError(t, os.WriteFile(key, []byte("torn"), 0o600))

	again := newManager(t, dir, nil)
	require.NoError(t, again.Apply(t.Context(), p.settings("", shop("a.test", "b.test"))))
	run(t, again)
	require.Eventually(t, func() bool {
		return strings.Contains(infoFor(t, again, "b.test").Error, key)
	}, patience, 20*time.Millisecond)
	data, err := os.ReadFile(key)
	require.NoError(t, err)
	assert.Equal(t, "torn", string(data))
	assert.Empty(t, infoFor(t, again, "a.test").Error, "what is stored is served")
}

func TestACMEFailureIsToldAndTriedAgain(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := startPebble(t, e)
	m := newManager(t, t.TempDir(), nil)
	e.use(m)
	require.NoError(t, m.Apply(t.Context(), p.settings("http-01", shop("a.nowhere.test", "fine.test"))))
	start := time.Now()
	_, err := e.dialTLS(clientFor(p.roots(t), "a.nowhere.test"))
	require.ErrorContains(t, err, "internal error")
	assert.Less(t, time.Since(start), patience, "an alert, not a wait")
	run(t, m)
	obtained(t, e, p, "fine.test")
	require.Eventually(t, func() bool {
		return infoFor(t, m, "a.nowhere.test").Error != "" && p.orders.Load() >= 3
	}, patience, 20*time.Millisecond)
	info := infoFor(t, m, "fine.test")
	assert.Equal(t, certs.SourceACME, info.Source)
	assert.Contains(t, info.Issuer, "Pebble")
	assert.Greater(t, time.Until(info.NotAfter), time.Hour)
}

func infoFor(t *testing.T, m *certs.Manager, host string) certs.Info {
	t.Helper()
	for _, i := range m.Certificates() {
		if i.Host == host {
			return i
		}
	}
	require.Fail(t, "not listed", host)
	return certs.Info{}
}

func TestACMEReloadKeepsWhatIsUnchanged(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := startPebble(t, e)
	m := newManager(t, t.TempDir(), nil)
	e.use(m)
	require.NoError(t, m.Apply(t.Context(), p.settings("", shop("a.test", "b.test"))))
	run(t, m)
	first := obtained(t, e, p, "a.test")
	obtained(t, e, p, "b.test")

	bad := p.settings("", shop("a.test"), certs.Site{
		Name: "x", Hosts: []string{"x.test"}, Source: certs.SourceFiles,
		Files: []certs.KeyPair{{Certificate: "/nowhere.crt", Key: "/nowhere.key"}},
	})
	require.ErrorContains(t, m.Apply(t.Context(), bad), "/nowhere.crt")
	_, err := e.dialTLS(clientFor(p.roots(t), "b.test"))
	require.NoError(t, err, "nothing has changed")

	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				_, err := e.dialTLS(clientFor(p.roots(t), "a.test"))
				assert.NoError(t, err)
			}
		})
	}
	for range 10 {
		require.NoError(t, m.Apply(t.Context(), p.settings("", shop("a.test"))))
	}
	wg.Wait()
	state, err := e.dialTLS(clientFor(p.roots(t), "a.test"))
	require.NoError(t, err)
	assert.True(t, first.PeerCertificates[0].Equal(state.PeerCertificates[0]))
	_, err = e.dialTLS(clientFor(p.roots(t), "b.test"))
	require.ErrorContains(t, err, "unrecognized name")
	assert.EqualValues(t, 2, p.orders.Load())
}

func TestACMERegistersAgainWhereTheAccountIsForgotten(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := startPebble(t, e)
	dir := t.TempDir()
	m := newManager(t, dir, nil)
	e.use(m)
	require.NoError(t, m.Apply(t.Context(), p.settings("", shop("a.test"))))
	run(t, m)
	obtained(t, e, p, "a.test")
	key, err := os.ReadFile(stored(t, dir, "account.key"))
	require.NoError(t, err)
	p.reset()
	require.NoError(t, m.Apply(t.Context(), p.settings("", shop("a.test", "b.test"))))
	obtained(t, e, p, "b.test")
	assert.EqualValues(t, 2, p.accounts.Load())
	after, err := os.ReadFile(stored(t, dir, "account.key"))
	require.NoError(t, err)
	assert.Equal(t, key, after)
}

func TestACMEIssuesForAnAddress(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := startPebble(t, e)
	m := newManager(t, t.TempDir(), nil)
	e.use(m)
	require.NoError(t, m.Apply(t.Context(), p.settings("", shop("127.0.0.1"))))
	run(t, m)
	state := obtained(t, e, p, "127.0.0.1") // which clients do not send
	assert.Len(t, state.PeerCertificates[0].IPAddresses, 1)
}

func TestEveryLogLineIsJSON(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := startPebble(t, e)
	var out lockedBuffer
	m := newManager(t, t.TempDir(), func(o *certs.Options) {
		o.Logger = slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	e.use(m)
	site := shop("a.test", "x.nowhere.test")
	require.NoError(t, m.Apply(t.Context(), p.settings("", site)))
	stop := run(t, m)
	obtained(t, e, p, "a.test")
	require.Eventually(t, func() bool { return infoFor(t, m, "x.nowhere.test").Error != "" }, patience, time.Millisecond)
	stop()
	levels := map[string]int{}
	for line := range strings.Lines(out.String()) {
		var entry struct{ Level, Msg, From, Identifier, Host string }
		require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
		levels[entry.Level]++
		if entry.Level != "DEBUG" {
			assert.Contains(t, []string{"certificate in use", "certificate not obtained"}, entry.Msg)
			assert.NotEmpty(t, entry.Host)
		}
		if entry.Msg == "obtaining certificate" {
			assert.Equal(t, "certmagic.obtain", entry.From)
			assert.NotEmpty(t, entry.Identifier)
		}
	}
	assert.Equal(t, 1, levels["INFO"])
	assert.Positive(t, levels["WARN"])
	assert.Positive(t, levels["DEBUG"])
	assert.Zero(t, levels["ERROR"])
}

type lockedBuffer struct {
	mu sync.Mutex
	strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Builder.Write(p)
}

func TestACMEAnotherAuthorityTakesOver(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p, q := startPebble(t, e), startPebble(t, e)
	m := newManager(t, t.TempDir(), nil)
	e.use(m)
	require.NoError(t, m.Apply(t.Context(), p.settings("", shop("a.test"))))
	run(t, m)
	first := obtained(t, e, p, "a.test")

	slow := q.settings("", shop("a.test"))
	slow.ACME.Email = "Ops@example.com"
	require.NoError(t, m.Apply(t.Context(), slow))
	var state tls.ConnectionState
	require.Eventually(t, func() bool {
		c := clientFor(nil, "a.test")
		c.InsecureSkipVerify = true
		var err error
		state, err = e.dialTLS(c)
		require.NoError(t, err, "the old certificate serves until there is a new one")
		return !first.PeerCertificates[0].Equal(state.PeerCertificates[0])
	}, patience, 5*time.Millisecond)
	obtained(t, e, q, "a.test")
	require.NoError(t, m.Apply(t.Context(), certs.Settings{Sites: []certs.Site{internal("a", none, "a.test")}}))
	c := clientFor(localRoots(t, m), "a.test")
	_, err := e.dialTLS(c)
	require.NoError(t, err)
}

func TestRunTwiceIsRefused(t *testing.T) {
	t.Parallel()
	m := newManager(t, t.TempDir(), nil)
	run(t, m)
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return m.Run(ctx) != nil
	}, patience, time.Millisecond)
}
