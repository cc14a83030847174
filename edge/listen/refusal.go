package listen

import (
	"net/http"
	"time"

	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/proxy"
)

var errSlowHead = &http1.Error{Status: http.StatusRequestTimeout, Reason: "head too slow"}

// refusal is err as what is answered and counted.
func refusal(err error) *http1.Error {
	if bad, ok := err.(*http1.Error); ok {
		return bad
	}
	return &http1.Error{Status: http.StatusBadRequest, Reason: "not a request"}
}

// tooLarge tells whether err says so of a head, or its first line.
func tooLarge(err error) bool {
	bad := refusal(err)
	return bad.Status == http.StatusRequestHeaderFieldsTooLarge || bad.Status == http.StatusRequestURITooLong
}

// refuse counts a request that was not taken, and answers it by x.Reply, which has begun nothing.
func (s *Server) refuse(x *proxy.Exchange, bad *http1.Error) {
	if bad.Status == http.StatusRequestTimeout {
		s.counters.timedOut.Add(1)
	} else {
		s.counters.badRequests.Add(1)
	}
	if s.opt.Refuse != nil {
		s.opt.Refuse(x, bad.Status, bad.Reason)
		return
	}
	date := time.Now().UTC().AppendFormat(nil, http.TimeFormat)
	if x.Reply.Head(bad.Status, http1.Fields{{Name: []byte("Date"), Value: date}}, 0) == nil {
		_ = x.Reply.End(nil) // the client has left: there is nobody to tell
	}
}
