package http2_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/http2"
)

// A model is RFC 9113 5.1 as it is written: the state of every stream there was.
type model struct {
	states    map[uint32]http2.State
	last      uint32
	open      int
	expecting uint32
	most      int
}

// An outcome is what a frame should lead to: a verdict, or an error's code and reach.
type outcome struct {
	verdict http2.Verdict
	code    http2.Code
	stream  bool
	bad     bool
}

func conn(code http2.Code) outcome { return outcome{code: code, bad: true} }

func stream(code http2.Code) outcome {
	return outcome{verdict: http2.Skip, code: code, stream: true, bad: true}
}

func (m *model) state(id uint32) http2.State {
	if s, ok := m.states[id]; ok {
		return s
	}
	return http2.Idle
}

func (m *model) take(h http2.Header) outcome {
	if m.expecting != 0 && (h.Kind != http2.Continuation || h.Stream != m.expecting) {
		return conn(http2.ProtocolError)
	}
	switch h.Kind {
	case http2.Continuation:
		if m.expecting == 0 {
			return conn(http2.ProtocolError)
		}
		if h.Has(http2.FlagEndHeaders) {
			m.expecting = 0
		}
		return outcome{}
	case http2.Headers:
		return m.headers(h)
	case http2.Data:
		return map[http2.State]outcome{http2.Idle: conn(http2.ProtocolError), http2.Open: {}, http2.HalfLocal: {},
			http2.HalfRemote: stream(http2.StreamClosed), http2.Closed: stream(http2.StreamClosed),
			http2.Dropped: {verdict: http2.Skip}}[m.known(h.Stream)]
	case http2.Reset, http2.WindowUpdate:
		if h.Stream == 0 {
			return outcome{}
		}
		return map[http2.State]outcome{http2.Idle: conn(http2.ProtocolError),
			http2.Closed: {verdict: http2.Skip}, http2.Dropped: {verdict: http2.Skip}}[m.known(h.Stream)]
	}
	return outcome{}
}

func (m *model) headers(h http2.Header) outcome {
	if !h.Has(http2.FlagEndHeaders) {
		m.expecting = h.Stream
	}
	if h.Stream%2 == 0 {
		return conn(http2.ProtocolError)
	}
	if h.Stream > m.last {
		m.last = h.Stream
		if m.open == m.most {
			m.states[h.Stream] = http2.Dropped
			return stream(http2.RefusedStream)
		}
		m.open++
		m.states[h.Stream] = http2.Open
		if h.Has(http2.FlagEndStream) {
			m.states[h.Stream] = http2.HalfRemote
		}
		return outcome{verdict: http2.Begins}
	}
	switch m.state(h.Stream) {
	case http2.Idle: // it was skipped, and can never be opened
		return conn(http2.ProtocolError)
	case http2.HalfRemote:
		return stream(http2.StreamClosed)
	case http2.Closed:
		return conn(http2.StreamClosed)
	case http2.Dropped:
		return outcome{verdict: http2.Skip}
	}
	if !h.Has(http2.FlagEndStream) {
		return stream(http2.ProtocolError)
	}
	return outcome{}
}

// end moves a stream; closed ends it whatever it was.
func (m *model) end(id uint32, from, to http2.State) {
	switch s := m.state(id); s {
	case http2.Idle, http2.Closed, http2.Dropped:
	case from:
		m.states[id] = to
	default:
		m.states[id] = http2.Closed
		m.open--
	}
}

func (m *model) close(id uint32, to http2.State) {
	switch m.state(id) {
	case http2.Idle, http2.Closed, http2.Dropped:
	case http2.HalfRemote:
		m.states[id] = http2.Closed
		m.open--
	default:
		m.states[id] = to
		m.open--
	}
}

// FuzzStreams has random frames, legal and not, judged by Streams and by the model, which must agree: on each
// frame, and on what the owner makes of it, as the connection does.
func FuzzStreams(f *testing.F) {
	f.Add([]byte{0x10, 0, 0x00, 0, 0x30, 0})
	f.Add([]byte{0x11, 1, 0x01, 1, 0x80, 1, 0x10, 1, 0x12, 3, 0x92, 3})
	f.Add([]byte{0x10, 1, 0xf0, 1, 0x03, 1, 0x13, 5, 0x13, 3, 0xe5, 5})
	f.Fuzz(func(t *testing.T, script []byte) {
		m := &model{states: map[uint32]http2.State{}, most: 3}
		s := &http2.Streams[uint32]{Most: 3}
		for i := 0; i+1 < len(script) && i < 200; i += 2 {
			if !play(t, m, s, script[i], uint32(script[i+1]%24)) {
				return
			}
			require.Equal(t, m.open, s.Len())
			for id := range uint32(24) {
				require.Equal(t, m.known(id), s.State(id), "stream %d", id)
			}
		}
	})
}

// known is a state as Streams tells it: those that were skipped are closed.
func (m *model) known(id uint32) http2.State {
	if s := m.state(id); s != http2.Idle || id > m.last || id%2 == 0 {
		return s
	}
	return http2.Closed
}

// play takes one step of a script. It is false when the connection has ended.
func play(t *testing.T, m *model, s *http2.Streams[uint32], step byte, id uint32) bool {
	h := http2.Header{Kind: http2.Kind(step >> 4 % 10), Stream: id, Flags: step & 5}
	switch step >> 4 {
	case 10, 11: // we end our side
		if m.expecting == 0 {
			s.LocalEnd(id)
			m.end(id, http2.Open, http2.HalfLocal)
		}
		return true
	case 12, 13: // we reset
		if _, ok := s.Get(id); ok && m.expecting == 0 {
			s.Drop(id)
			m.close(id, http2.Dropped)
		}
		return true
	case 14, 15: // the client asks for the next stream
		h.Kind, h.Stream = http2.Headers, m.last+1+m.last%2
		if h.Stream >= 24 {
			return true
		}
	}
	if h.Check() != nil && h.Kind != http2.Reset && h.Kind != http2.WindowUpdate {
		return true // never gets so far
	}
	before := m.known(h.Stream)
	want := m.take(h)
	verdict, err := s.Take(h)
	require.Equal(t, want.bad, err != nil, "%+v: %v", h, err)
	if err != nil {
		require.Equal(t, want.code, err.Code, "%+v", h)
		require.Equal(t, want.stream, err.Stream, "%+v", h)
		if !err.Stream {
			return false
		}
		if before != http2.Closed && err.Code != http2.RefusedStream {
			s.Drop(h.Stream)
			m.close(h.Stream, http2.Dropped)
		}
		return true
	}
	require.Equal(t, want.verdict, verdict, "%+v", h)
	switch {
	case verdict == http2.Begins:
		s.Begin(h.Stream, h.Stream, h.Has(http2.FlagEndStream))
	case verdict == http2.Skip:
	case h.Kind == http2.Reset:
		s.Close(h.Stream)
		if m.states[h.Stream] != http2.Idle {
			m.close(h.Stream, http2.Closed)
		}
	case (h.Kind == http2.Data || h.Kind == http2.Headers) && h.Has(http2.FlagEndStream):
		s.RemoteEnd(h.Stream)
		m.end(h.Stream, http2.Open, http2.HalfRemote)
	}
	return true
}

func TestStreamsClosedLongAgoAreForgotten(t *testing.T) {
	s := &http2.Streams[int]{Most: 10}
	for id := uint32(1); id < 2000; id += 2 {
		h := http2.Header{Kind: http2.Headers, Stream: id, Flags: http2.FlagEndHeaders | http2.FlagEndStream}
		verdict, err := s.Take(h)
		require.Nil(t, err)
		require.Equal(t, http2.Begins, verdict)
		s.Begin(id, 0, true)
		assert.Equal(t, http2.Closed, s.LocalEnd(id))
	}
	assert.Zero(t, s.Len())
	for id, code := range map[uint32]http2.Code{1999: http2.StreamClosed, 1: http2.ProtocolError} {
		_, err := s.Take(http2.Header{Kind: http2.Headers, Stream: id, Flags: http2.FlagEndHeaders})
		require.NotNil(t, err)
		assert.Equal(t, code, err.Code)
		assert.Equal(t, http2.Closed, s.State(id))
	}
}
