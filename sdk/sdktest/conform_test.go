package sdktest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

// rendezvous is a strategy by the book, whose parts can be broken.
type rendezvous struct {
	table []sdktest.Backend
	count int

	backends func(list []sdktest.Backend) ([]sdktest.Backend, error) // what it takes in
	score    func(r *rendezvous, n int, id, path string) uint64
	allowed  func(b sdktest.Backend, r sdktest.Request) bool
	pinned   func(row int, r sdktest.Request) bool
	observe  func()
}

func sound() *rendezvous {
	return &rendezvous{
		backends: func(list []sdktest.Backend) ([]sdktest.Backend, error) { return list, nil },
		score: func(_ *rendezvous, _ int, id, path string) uint64 {
			return sdk.Sum64([]byte(id + " " + path))
		},
		allowed: func(b sdktest.Backend, r sdktest.Request) bool {
			return b.State == abi.StateReady && !slices.Contains(r.Excluded, b.ID)
		},
		pinned: func(int, sdktest.Request) bool { return true },
	}
}

func (s *rendezvous) Configure(string) error { return nil }

func (s *rendezvous) SetBackends(list ...sdktest.Backend) (err error) {
	s.table, err = s.backends(list)
	return err
}

func (s *rendezvous) Observe(sdktest.Outcome) {
	if s.observe != nil {
		s.observe()
	}
}

func (s *rendezvous) Pick(r sdktest.Request) sdktest.Decision {
	s.count++
	best, most := "", uint64(0)
	for n, b := range s.table {
		open := s.allowed(b, r)
		drains := b.State == abi.StateDraining && !slices.Contains(r.Excluded, b.ID)
		if b.ID == r.Pinned && s.pinned(n, r) && (open || drains) {
			return sdktest.Decision{Backend: b.ID}
		}
		if h := s.score(s, n, b.ID, r.Path); open && h >= most {
			best, most = b.ID, h
		}
	}
	if best == "" {
		return sdktest.Decision{Verdict: abi.VerdictAbstain}
	}
	return sdktest.Decision{Backend: best}
}

var strict = sdktest.Traits{Spread: 0.1, Even: true, Sticky: true, Pins: sdktest.PinsHonoured}

func TestASoundStrategyConforms(t *testing.T) {
	sdktest.Conform(t, func(testing.TB) sdktest.Subject { return sound() }, strict)
}

// Each way to be broken is found, by the property it offends, with a counter-example of few lines.
func TestABrokenStrategyIsFound(t *testing.T) {
	shared := 0
	for name, tt := range map[string]struct {
		change func(*rendezvous)
		want   string // the start of the report
		lines  int    // of the report, at most
	}{
		"down backends are chosen": {func(s *rendezvous) {
			s.allowed = func(b sdktest.Backend, r sdktest.Request) bool {
				return b.State != abi.StateMaintenance && !slices.Contains(r.Excluded, b.ID)
			}
		}, "what is not available is never chosen: table 1, request 1: \"", 3},
		"excluded ones are chosen": {func(s *rendezvous) {
			s.allowed = func(b sdktest.Backend, _ sdktest.Request) bool { return b.State == abi.StateReady }
			s.pinned = func(int, sdktest.Request) bool { return true }
		}, "what is excluded is never chosen: table 1, request 1: \"", 3},
		"an empty table": {func(s *rendezvous) {
			s.backends = func(list []sdktest.Backend) ([]sdktest.Backend, error) {
				if len(list) == 0 {
					return s.table, nil
				}
				return list, nil
			}
		}, `an empty table has nobody to choose: table 2, request 1: "b0002": not in the table`, 5},
		"long paths": {func(s *rendezvous) {
			score := s.score
			s.score = func(r *rendezvous, n int, id, path string) uint64 {
				if len(path) > 256 {
					panic("index out of range")
				}
				return score(r, n, id, path)
			}
		}, "attributes have any length: table 1, request 1: panic: index out of range", 3},
		"large tables": {func(s *rendezvous) {
			s.backends = func(list []sdktest.Backend) ([]sdktest.Backend, error) {
				if len(list) > 1000 {
					return nil, errors.New("too many")
				}
				return list, nil
			}
		}, "2,000 backends are served: table 1: too many\n\ttable 1: b0", 2},
		"outcomes": {func(s *rendezvous) {
			s.observe = func() { panic("no") }
		}, "outcomes hurt nobody: table 1, request 1: panic: no", 3},
		"what another run left": {func(s *rendezvous) {
			s.score = func(_ *rendezvous, n int, _, _ string) uint64 {
				shared++
				return uint64(n * shared % 7)
			}
		}, "equal beginnings decide alike: table 1, request 1: \"", 9},
		"some pins": {func(s *rendezvous) {
			s.pinned = func(row int, _ sdktest.Request) bool { return row%2 == 0 }
		}, "pins are honoured or ignored: table 1, request 1: pinned to \"", 3},
		"no shares": {func(s *rendezvous) {
			s.score = func(_ *rendezvous, n int, _, _ string) uint64 { return uint64(n) }
		}, "shares follow the weights: table 1: b000", 24},
		"turns": {func(s *rendezvous) {
			s.score = func(r *rendezvous, n int, _, _ string) uint64 { return uint64((n + r.count) % len(r.table)) }
		}, "a client keeps its backend: table 1, request 2: \"", 4},
		"positions": {func(s *rendezvous) {
			s.score = func(r *rendezvous, n int, _, path string) uint64 {
				return sdk.Sum64(fmt.Append(nil, len(r.table), n, path))
			}
		}, "only who has to moves: table 2: 1 of 1 clients moved needlessly, the first with request 1: from \"", 6},
	} {
		t.Run(name, func(t *testing.T) {
			open := func() sdktest.Subject {
				s := sound()
				tt.change(s)
				return s
			}
			err := sdktest.Check(open, strict)
			require.ErrorContains(t, err, tt.want)
			for _, one := range err.(interface{ Unwrap() []error }).Unwrap() {
				if strings.HasPrefix(one.Error(), tt.want) {
					assert.LessOrEqual(t, strings.Count(one.Error(), "\n"), tt.lines, "%v", one)
				}
			}
		})
	}
}

func TestPinsThatShouldBeIgnoredAreFound(t *testing.T) {
	traits := sdktest.Traits{Pins: sdktest.PinsIgnored}
	err := sdktest.Check(func() sdktest.Subject { return sound() }, traits)
	assert.ErrorContains(t, err, "pins are honoured or ignored: table 1, request 1: pinned to ")
	ignoring := func() sdktest.Subject {
		s := sound()
		s.pinned = func(int, sdktest.Request) bool { return false }
		return s
	}
	assert.NoError(t, sdktest.Check(ignoring, traits))
	assert.NoError(t, sdktest.Check(ignoring, sdktest.Traits{}))
	assert.Error(t, sdktest.Check(ignoring, strict))
}

// A request that is larger than a frame is cut as the edge cuts it: hashes are whole, the last raw value is
// not.
func TestALongValueIsCut(t *testing.T) {
	var seen [3]int
	h := sdktest.NewHost(&sizes{seen: &seen})
	require.NoError(t, h.Configure(""))
	require.NoError(t, h.SetBackends(sdktest.Backend{ID: "a"}))
	h.Pick(sdktest.Request{Path: strings.Repeat("p", 60_000), Query: strings.Repeat("q", 60_000), Route: "main"})
	const used = abi.RequestSpans + 3*abi.SpanSize + abi.HashSize
	assert.Equal(t, [3]int{60_000, abi.MaxRequest - used - 60_000, abi.HashSize}, seen)
}

// sizes notes how long the values are that it sees.
type sizes struct {
	path, query, route sdk.Attribute
	seen               *[3]int
}

func (s *sizes) Configure(c *sdk.Config) error {
	s.path, s.query, s.route = c.Need(sdk.Path()), c.Need(sdk.Query()), c.Need(sdk.RouteName().Hashed())
	return nil
}

func (s *sizes) Backends(sdk.Backends) error { return nil }

func (s *sizes) Pick(r *sdk.Request) sdk.Decision {
	for i, a := range []sdk.Attribute{s.path, s.query, s.route} {
		v, _ := r.Bytes(a)
		s.seen[i] = len(v)
	}
	return sdk.Abstain()
}
