package http2

// A State is how far a stream has come (RFC 9113 5.1), as the server sees it.
type State uint8

// The states. A stream is idle before it is opened; Dropped is closed by us while the client may not know
// yet.
const (
	Idle State = iota
	Open
	HalfRemote // the client has ended it
	HalfLocal  // we have
	Closed
	Dropped
)

// A Verdict is what is to be done about a frame.
type Verdict uint8

// The verdicts.
const (
	Pass   Verdict = iota // take it
	Begins                // it opens a stream
	Skip                  // it is of a stream that is no more: only its fields, and its size, matter
)

// remembered is how many closed streams a connection knows from those that never were.
const remembered = 128

// Streams says what each frame of a connection means. V is what the owner keeps of a stream. Most is how many
// may be open at once.
type Streams[V any] struct {
	Most int

	last      uint32 // the highest that the client has opened
	expecting uint32 // Continuations of this one must come
	ids       []uint32
	states    []State
	values    []V
	past      []uint32 // a ring of closed streams; the lowest bit tells those that we dropped
	oldest    int
}

// Last is the highest stream that the client has opened.
func (s *Streams[V]) Last() uint32 { return s.last }

// Len is the number of streams that are not closed.
func (s *Streams[V]) Len() int { return len(s.ids) }

// Values are what is kept of them, in no order.
func (s *Streams[V]) Values() []V { return s.values }

// Get gives what is kept of a stream that is not closed.
func (s *Streams[V]) Get(id uint32) (v V, ok bool) {
	if i := s.find(id); i >= 0 {
		return s.values[i], true
	}
	return v, false
}

func (s *Streams[V]) find(id uint32) int {
	for i, other := range s.ids {
		if other == id {
			return i
		}
	}
	return -1
}

// State is that of any stream. Of those closed long ago, it is Closed whoever closed them.
func (s *Streams[V]) State(id uint32) State {
	if id%2 == 0 || id > s.last {
		return Idle
	}
	if i := s.find(id); i >= 0 {
		return s.states[i]
	}
	state, _ := s.recall(id)
	return state
}

// recall tells what is known of a closed stream.
func (s *Streams[V]) recall(id uint32) (state State, known bool) {
	for _, p := range s.past {
		if p>>1 == id {
			if p&1 != 0 {
				return Dropped, true
			}
			return Closed, true
		}
	}
	return Closed, false
}

// Take judges the next frame, whose Check was good. If it begins a stream, Begin must follow once its block
// is whole, or nothing if the error is not nil. A Headers frame with an error of its stream has fields that
// must be decoded all the same.
func (s *Streams[V]) Take(h Header) (Verdict, *Error) {
	if s.expecting != 0 {
		return s.continued(h)
	}
	switch h.Kind {
	case Continuation:
		return Pass, errContinuation
	case Headers:
		if !h.Has(FlagEndHeaders) {
			s.expecting = h.Stream
		}
		return s.headers(h)
	case Data:
		return s.data(h.Stream)
	case Reset, WindowUpdate:
		if h.Stream == 0 {
			return Pass, nil
		}
		switch s.State(h.Stream) {
		case Idle:
			return Pass, errIdle
		case Closed, Dropped:
			return Skip, nil
		}
	}
	return Pass, nil
}

func (s *Streams[V]) continued(h Header) (Verdict, *Error) {
	if h.Kind != Continuation || h.Stream != s.expecting {
		return Pass, errInterleaved
	}
	if h.Has(FlagEndHeaders) {
		s.expecting = 0
	}
	return Pass, nil
}

func (s *Streams[V]) data(id uint32) (Verdict, *Error) {
	switch s.State(id) {
	case Idle:
		return Pass, errIdle
	case HalfRemote, Closed:
		return Skip, errEnded
	case Dropped:
		return Skip, nil
	}
	return Pass, nil
}

func (s *Streams[V]) headers(h Header) (Verdict, *Error) {
	if h.Stream%2 == 0 {
		return Pass, errStreamID
	}
	if h.Stream > s.last {
		s.last = h.Stream
		if len(s.ids) >= s.Most {
			s.remember(h.Stream, true)
			return Skip, errRefused
		}
		return Begins, nil
	}
	switch s.State(h.Stream) {
	case HalfRemote:
		return Skip, errEnded
	case Closed:
		if _, known := s.recall(h.Stream); known {
			return Pass, errClosed
		}
		return Pass, errStreamID
	case Dropped:
		return Skip, nil
	}
	if !h.Has(FlagEndStream) {
		return Skip, errTrailersEnd
	}
	return Pass, nil
}

// Begin opens the stream that Take told of; ended = the client has nothing more to say.
func (s *Streams[V]) Begin(id uint32, v V, ended bool) {
	state := Open
	if ended {
		state = HalfRemote
	}
	s.ids, s.states, s.values = append(s.ids, id), append(s.states, state), append(s.values, v)
}

// RemoteEnd notes that the client has ended its side; it gives the state since.
func (s *Streams[V]) RemoteEnd(id uint32) State { return s.end(id, Open, HalfRemote) }

// LocalEnd notes that we have ended ours.
func (s *Streams[V]) LocalEnd(id uint32) State { return s.end(id, Open, HalfLocal) }

// end moves a stream from one state to the next, or else closes it.
func (s *Streams[V]) end(id uint32, from, to State) State {
	i := s.find(id)
	if i < 0 {
		return Closed
	}
	if s.states[i] == from {
		s.states[i] = to
		return to
	}
	s.remove(i, false)
	return Closed
}

// Close notes that the client has reset a stream.
func (s *Streams[V]) Close(id uint32) {
	if i := s.find(id); i >= 0 {
		s.remove(i, false)
	}
}

// Drop notes that we reset a stream. Where the client has nothing more to say, it is closed.
func (s *Streams[V]) Drop(id uint32) {
	i := s.find(id)
	if i < 0 {
		if _, known := s.recall(id); !known {
			s.remember(id, true)
		}
		return
	}
	s.remove(i, s.states[i] != HalfRemote)
}

func (s *Streams[V]) remove(i int, dropped bool) {
	var none V
	s.remember(s.ids[i], dropped)
	last := len(s.ids) - 1
	s.ids[i], s.states[i], s.values[i] = s.ids[last], s.states[last], s.values[last]
	s.values[last] = none
	s.ids, s.states, s.values = s.ids[:last], s.states[:last], s.values[:last]
}

func (s *Streams[V]) remember(id uint32, dropped bool) {
	p := id << 1
	if dropped {
		p |= 1
	}
	if len(s.past) < remembered {
		s.past = append(s.past, p)
		return
	}
	s.past[s.oldest] = p
	s.oldest = (s.oldest + 1) % remembered
}
