package admin_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/admin"
)

func TestTheSocketIsOnlyForItsOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "wedge")
	path := filepath.Join(dir, "admin.sock")
	r := serve(t, &fake{}, admin.Options{Listen: "unix://" + path})
	info, err := os.Lstat(path)
	require.NoError(t, err)
	assert.Equal(t, os.ModeSocket|0o600, info.Mode())
	folder, err := os.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), folder.Mode().Perm())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 1)
	r.end()
	left, err = os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "the socket goes with the edge")
}

func TestAStaleSocketIsReplacedAndALiveOneIsNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	stale.SetUnlinkOnClose(false)
	require.NoError(t, stale.Close())
	r := serve(t, &fake{}, admin.Options{Listen: "unix://" + path})
	_, err = r.Status(t.Context())
	require.NoError(t, err)

	second, err := admin.New(&fake{}, admin.Options{Listen: "unix://" + path})
	require.NoError(t, err)
	assert.ErrorContains(t, second.Listen(), "another edge listens there")
	_, err = r.Status(t.Context())
	assert.NoError(t, err, "the first goes on")
}

func TestAnotherEdgesSocketIsNotTakenAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	r := serve(t, &fake{}, admin.Options{Listen: "unix://" + path})
	require.NoError(t, os.Remove(path))
	other := serve(t, &fake{}, admin.Options{Listen: "unix://" + path})
	r.end()
	_, err := other.Status(t.Context())
	assert.NoError(t, err)
}

func TestAFileThatIsNoSocketIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	require.NoError(t, os.WriteFile(path, []byte("data"), 0o600))
	s, err := admin.New(&fake{}, admin.Options{Listen: "unix://" + path})
	require.NoError(t, err)
	assert.ErrorContains(t, s.Listen(), "no socket")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "data", string(content))
}

func TestAListenerThatIsNotServedIsClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	s, err := admin.New(&fake{}, admin.Options{Listen: "unix://" + path})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, s.Listen())
	require.NoError(t, s.Listen(), "twice is once")
	assert.Equal(t, "unix://"+path, s.Address())
	require.NoError(t, s.Close())
	assert.NoFileExists(t, path)
}

func TestAddressesThatCannotBe(t *testing.T) {
	for listen, tt := range map[string]struct{ token, want string }{
		"":                                    {"", "want unix:///PATH or HOST:PORT"},
		"admin.sock":                          {"", "want unix:///PATH or HOST:PORT"},
		"unix://run/admin.sock":               {"", "want an absolute path"},
		"unix:///" + strings.Repeat("a", 107): {"", "at most 107 bytes"},
		"0.0.0.0:9901":                        {"", "give it a token"},
		":9901":                               {"", "give it a token"},
		"192.0.2.1:9901":                      {"", "give it a token"},
		"[::]:9901":                           {"", "give it a token"},
		"edge.test:9901":                      {"", "give it a token"},
		"127.0.0.1:9901":                      {"", ""},
		"[::1]:9901":                          {"", ""},
		"localhost:9901":                      {"", ""},
		"0.0.0.0:9902":                        {"t", ""},
	} {
		_, err := admin.New(&fake{}, admin.Options{Listen: listen, Token: tt.token})
		if tt.want == "" {
			assert.NoError(t, err, listen)
			continue
		}
		assert.ErrorContains(t, err, tt.want, listen)
	}
}

func TestTCPWorksWithAToken(t *testing.T) {
	r := serve(t, &fake{}, admin.Options{Listen: "127.0.0.1:0", Token: "s3cret"})
	_, err := r.Status(t.Context())
	require.NoError(t, err)
	other, err := admin.NewClient(r.Address(), "wrong")
	require.NoError(t, err)
	defer other.Close()
	_, err = other.Status(t.Context())
	assert.NotContains(t, problem(t, err, 401).Error(), "s3cret")
}
