package affinity_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wedge-lb/wedge/edge/affinity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	secretA = bytes.Repeat([]byte{'a'}, 32)
	secretB = bytes.Repeat([]byte{'b'}, 32)
	// start is a moment that tests count from.
	start = time.Unix(1_800_000_000, 0)
)

func newAffinity(t testing.TB, pool string, o affinity.Options, secrets ...[]byte) *affinity.Affinity {
	t.Helper()
	if len(secrets) == 0 {
		secrets = [][]byte{secretA}
	}
	keys, err := affinity.NewKeyring(secrets...)
	require.NoError(t, err)
	a, err := affinity.New(pool, keys, o)
	require.NoError(t, err)
	return a
}

// token is a fresh token of a for a backend.
func token(a *affinity.Affinity, backend string) string {
	return string(a.Append(nil, backend, start, start))
}
