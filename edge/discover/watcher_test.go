package discover_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/discover"
)

// script is a source that says one thing after the other, and the last for ever.
type script struct {
	says  []saying
	looks []time.Time
}

type saying struct {
	ids  string
	ttl  time.Duration
	err  error
	miss error
	hang bool
}

func (s *script) Look(ctx context.Context) (discover.Finding, error) {
	say := s.says[min(len(s.looks), len(s.says)-1)]
	s.looks = append(s.looks, time.Now())
	if say.hang {
		<-ctx.Done()
		return discover.Finding{}, ctx.Err()
	}
	return discover.Finding{Members: members(say.ids), TTL: say.ttl, Missed: say.miss}, say.err
}

func members(text string) (list []discover.Member) {
	for _, id := range strings.Fields(text) {
		list = append(list, discover.Member{ID: id, Scheme: "http", Address: id + ":80", Weight: 1})
	}
	return list
}

var errDown = errors.New("down")

func never() float64 { return 0 }

func now(w *discover.Watcher) string {
	list, _ := w.Members()
	return strings.Join(ids(list), " ")
}

func TestAWatcherKeepsTheLastOrNone(t *testing.T) {
	for name, tt := range map[string]struct {
		empty bool
		want  []string
	}{
		"the last":    {false, []string{"a b", "a b", "b c", "b c"}},
		"none at all": {true, []string{"a b", "", "b c", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{says: []saying{{ids: "b a"}, {err: errDown}, {ids: "c b"}, {err: errDown}}}
			changes := 0
			w := discover.NewWatcher(s, discover.Options{Empty: tt.empty, Changed: func() { changes++ }})
			var got []string
			for range s.says {
				_ = w.Look(context.Background())
				got = append(got, now(w))
			}
			assert.Equal(t, tt.want, got)
			assert.Equal(t, uint64(2), w.Stats().Failures)
			assert.Equal(t, map[bool]int{false: 2, true: 4}[tt.empty], changes)
		})
	}
}

func TestWhatWasKnownCountsUntilALookSucceeds(t *testing.T) {
	s := &script{says: []saying{{err: errDown}, {ids: "b"}}}
	w := discover.NewWatcher(s, discover.Options{Last: members("z a")})
	require.ErrorIs(t, w.Look(context.Background()), errDown)
	_, found := w.Members()
	assert.Equal(t, "a z", now(w))
	assert.False(t, found)
	assert.True(t, w.Stats().LastSuccess.IsZero())
	require.NoError(t, w.Look(context.Background()))
	_, found = w.Members()
	assert.Equal(t, "b", now(w))
	assert.True(t, found)
	assert.Equal(t, 1, w.Stats().Members)
	assert.False(t, w.Stats().LastSuccess.IsZero())
	t.Run("unless a failure means that there are none", func(t *testing.T) {
		w := discover.NewWatcher(s, discover.Options{Last: members("z a"), Empty: true})
		assert.Empty(t, now(w))
	})
}

func TestTheTTLIsHonouredWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{says: []saying{
			{ids: "a", ttl: time.Second}, {ids: "a", ttl: time.Minute}, {ids: "a", ttl: 48 * time.Hour}, {err: errDown},
			{ids: "a"},
		}}
		w := discover.NewWatcher(s, discover.Options{Interval: 10 * time.Second, Random: never})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(2 * time.Hour)
		cancel()
		require.NoError(t, <-ended)
		var pauses []time.Duration
		for i := range 5 {
			pauses = append(pauses, s.looks[i+1].Sub(s.looks[i]))
		}
		assert.Equal(t, []time.Duration{10 * time.Second, time.Minute, time.Hour, 10 * time.Second, 10 * time.Second},
			pauses, "not sooner than the interval, not later than an hour, and a failure is seen to soon")
	})
}

func TestLooksAreSpreadByATenth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{says: []saying{{ids: "a", ttl: time.Minute}}}
		w := discover.NewWatcher(s, discover.Options{Random: func() float64 { return 0.5 }})
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		require.NoError(t, w.Run(ctx))
		assert.Equal(t, 63*time.Second, s.looks[1].Sub(s.looks[0]))
	})
}

func TestALookThatHangsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{says: []saying{{ids: "a"}, {hang: true}}}
		w := discover.NewWatcher(s, discover.Options{LookTime: 3 * time.Second})
		require.NoError(t, w.Look(context.Background()))
		begun := time.Now()
		require.ErrorIs(t, w.Look(context.Background()), context.DeadlineExceeded)
		assert.Equal(t, 3*time.Second, time.Since(begun))
		assert.Equal(t, "a", now(w))
		assert.Equal(t, uint64(1), w.Stats().Failures)
	})
}

func TestTheEndOfRunIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{says: []saying{{ids: "a"}, {hang: true}}}
		w := discover.NewWatcher(s, discover.Options{Interval: time.Second, Empty: true})
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		require.NoError(t, w.Run(ctx))
		assert.Len(t, s.looks, 2)
		assert.Equal(t, "a", now(w))
		assert.Zero(t, w.Stats().Failures)
	})
}

func TestRunBeginsWithWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{says: []saying{{ids: "a"}}}
		var heard []string
		var w *discover.Watcher
		w = discover.NewWatcher(s, discover.Options{Changed: func() { heard = append(heard, now(w)) }})
		require.NoError(t, w.Look(context.Background()))
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, w.Run(ctx))
		assert.Equal(t, []string{"a", "a"}, heard, "at the look, and when Run began")
	})
}

func TestOneLineForEachChange(t *testing.T) {
	down := saying{err: errDown}
	s := &script{says: []saying{
		{ids: "a b"}, {ids: "b a"}, down, down, {err: errors.New("worse")}, {ids: "b c d"},
		{ids: "b c d", miss: errors.New("half")}, {ids: "b c d", miss: errors.New("half")}, {ids: "b c d"},
	}}
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
	w := discover.NewWatcher(s, discover.Options{Logger: log})
	for range s.says {
		_ = w.Look(context.Background())
	}
	assert.Equal(t, `level=INFO msg="backends found" now=2 joined=2 left=0
level=WARN msg="backends not found" error=down now=2
level=WARN msg="backends not found" error=worse now=2
level=INFO msg="backends found again" now=3
level=INFO msg="backends found" now=3 joined=2 left=1
level=WARN msg="backends found in part" error=half now=3
level=INFO msg="backends found again" now=3
`, b.String())
	assert.Equal(t, uint64(5), w.Stats().Failures)
}
