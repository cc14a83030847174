package sdktest

import (
	"encoding/binary"
	"net/netip"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// Request is what the edge would know of one request. The zero value has no attribute at all.
type Request struct {
	ClientIP  netip.Addr
	Method    string
	Scheme    string
	Authority string
	Path      string
	Query     string
	Protocol  string
	SNI       string
	Country   string
	Route     string
	Headers   map[string]string // names in lower case
	Cookies   map[string]string
	Params    map[string]string // of the query
	Pinned    string            // id of the backend that a valid token names
	Excluded  []string          // ids of the backends already tried
	Attempt   int
}

// need is an attribute that a strategy declared.
type need struct {
	kind abi.Kind
	name string
	form abi.Form
}

// value is the form of an attribute that the strategy gets.
func (r Request) value(n need) ([]byte, bool) {
	raw, ok := r.raw(n)
	if !ok || n.form == abi.FormRaw {
		return raw, ok
	}
	return binary.LittleEndian.AppendUint64(nil, sdk.Sum64(raw)), true
}

func (r Request) raw(n need) ([]byte, bool) {
	switch n.kind {
	case abi.KindClientIP:
		ip := r.ClientIP.As16()
		return ip[:], r.ClientIP.IsValid()
	case abi.KindHeader:
		return lookup(r.Headers, n.name)
	case abi.KindCookie:
		return lookup(r.Cookies, n.name)
	case abi.KindQueryParam:
		return lookup(r.Params, n.name)
	}
	plain := map[abi.Kind]string{
		abi.KindMethod: r.Method, abi.KindScheme: r.Scheme, abi.KindAuthority: r.Authority,
		abi.KindPath: r.Path, abi.KindQuery: r.Query, abi.KindProtocol: r.Protocol,
		abi.KindSNI: r.SNI, abi.KindCountry: r.Country, abi.KindRoute: r.Route,
	}[n.kind]
	return []byte(plain), plain != ""
}

func lookup(m map[string]string, name string) ([]byte, bool) {
	v, ok := m[name]
	return []byte(v), ok
}

// frame encodes the request for a strategy with these needs. index gives a backend's row.
func (r Request) frame(needs []need, index func(id string) int) []byte {
	frame := make([]byte, abi.RequestSpans+len(needs)*abi.SpanSize)
	put32(frame, abi.RequestAttempt, uint32(r.Attempt))
	if r.Pinned != "" {
		put32(frame, abi.RequestPinned, uint32(index(r.Pinned)+1))
	}
	put32(frame, abi.RequestSlots, uint32(len(needs)))
	put32(frame, abi.RequestExcludedOff, uint32(len(frame)))
	put32(frame, abi.RequestExcludedCount, uint32(len(r.Excluded)))
	for _, id := range r.Excluded {
		frame = binary.LittleEndian.AppendUint32(frame, uint32(index(id)))
	}
	room := abi.MaxRequest - len(frame) // for raw values; hashes are kept room for
	for _, n := range needs {
		if n.form == abi.FormHash {
			room -= abi.HashSize
		}
	}
	for i, n := range needs {
		at := abi.RequestSpans + i*abi.SpanSize
		if v, ok := r.value(n); ok {
			if n.form == abi.FormRaw {
				v = v[:min(len(v), room)]
				room -= len(v)
			}
			frame = putSpan(frame, at, v)
		} else {
			put32(frame, at+abi.SpanLen, abi.Absent)
		}
	}
	return frame
}
