package discover_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wedge-lb/wedge/edge/discover"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// look asks a source once.
func look(t *testing.T, s discover.Source) discover.Finding {
	t.Helper()
	f, err := s.Look(context.Background())
	require.NoError(t, err)
	return f
}

// fails gives the error of a source that finds nothing.
func fails(t *testing.T, s discover.Source) string {
	t.Helper()
	f, err := s.Look(context.Background())
	require.Error(t, err)
	require.Empty(t, f.Members)
	return err.Error()
}

func ids(members []discover.Member) []string {
	list := []string{}
	for _, m := range members {
		list = append(list, m.ID)
	}
	return list
}
