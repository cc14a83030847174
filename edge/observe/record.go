package observe

import (
	"net/netip"
	"strconv"
	"time"
)

// A Record is one line of the access log. The caller owns it; its slices are copied when it is logged.
type Record struct {
	Time      time.Time // when the head had arrived
	RequestID []byte
	TraceID   []byte

	Site, Route, Pool, Backend string
	Strategy, Plugin           string        // who decided: name and short digest; "" = the edge itself
	Outcome, Reason            string        // of the decision
	Decision                   time.Duration // that the pick took
	Attempts                   int           // at backends

	Protocol  string // h1, h2 or h3
	Method    []byte
	Host      []byte
	Path      []byte
	Query     []byte
	UserAgent []byte
	ClientIP  netip.Addr

	Status   int
	In, Out  int64         // body bytes from and to the client
	Head     time.Duration // until the head of the answer; 0 = none came
	Duration time.Duration // until the end of the answer
	Error    string        // kind of what went wrong; "" = nothing

	cut bool // a value was longer than what is kept
}

// The most bytes of a client's value that a line keeps.
const (
	maxShortValue = 256
	maxAgentValue = 512
	maxLongValue  = 4096
)

// values are the fields that alias the connection's memory, and how much is kept of each.
func (r *Record) values() [7]value {
	return [...]value{
		{&r.RequestID, maxShortValue}, {&r.TraceID, maxShortValue}, {&r.Method, maxShortValue},
		{&r.Host, maxShortValue}, {&r.Path, maxLongValue}, {&r.Query, maxLongValue}, {&r.UserAgent, maxAgentValue},
	}
}

type value struct {
	text *[]byte
	keep int
}

// appendJSON appends r as one line.
func (r *Record) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"time":"`...)
	dst = r.Time.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
	dst = append(dst, '"')
	dst = appendText(dst, "request_id", r.RequestID)
	dst = appendText(dst, "trace_id", r.TraceID)
	dst = appendName(dst, "site", r.Site)
	dst = appendName(dst, "route", r.Route)
	dst = appendName(dst, "pool", r.Pool)
	dst = appendName(dst, "backend", r.Backend)
	dst = appendName(dst, "strategy", r.Strategy)
	dst = appendName(dst, "plugin", r.Plugin)
	dst = appendName(dst, "outcome", r.Outcome)
	dst = appendName(dst, "reason", r.Reason)
	dst = appendNumber(dst, "decision_ns", int64(r.Decision))
	dst = appendNumber(dst, "attempts", int64(r.Attempts))
	dst = appendName(dst, "protocol", r.Protocol)
	dst = appendText(dst, "method", r.Method)
	dst = appendText(dst, "host", r.Host)
	dst = appendText(dst, "path", r.Path)
	dst = appendText(dst, "query", r.Query)
	dst = appendNumber(dst, "status", int64(r.Status))
	dst = appendNumber(dst, "bytes_in", r.In)
	dst = appendNumber(dst, "bytes_out", r.Out)
	dst = appendNumber(dst, "head_ns", int64(r.Head))
	dst = appendNumber(dst, "duration_ns", int64(r.Duration))
	dst = r.appendClient(dst)
	dst = appendName(dst, "error", r.Error)
	dst = appendText(dst, "user_agent", r.UserAgent)
	if r.cut {
		dst = append(dst, `,"cut":true`...)
	}
	return append(dst, "}\n"...)
}

func (r *Record) appendClient(dst []byte) []byte {
	if !r.ClientIP.IsValid() {
		return dst
	}
	var buf [64]byte
	return appendText(dst, "client_ip", r.ClientIP.AppendTo(buf[:0]))
}

func appendNumber(dst []byte, key string, n int64) []byte {
	return strconv.AppendInt(appendKey(dst, key), n, 10)
}
