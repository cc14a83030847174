package observe

import "math/rand/v2"

const (
	traceLen   = 55 // 00-<32 hex>-<16 hex>-<2 hex>
	traceIDAt  = 3
	traceIDEnd = 35
)

// ValidTrace tells whether a traceparent value can be passed on as it is (W3C Trace Context, 3.2.2). With
// more than one such field in a request none can, and without a valid one its tracestate is to be dropped.
func ValidTrace(v []byte) bool {
	if len(v) < traceLen || v[2] != '-' || v[35] != '-' || v[52] != '-' {
		return false
	}
	if !lowerHex(v[:2]) || !lowerHex(v[3:35]) || !lowerHex(v[36:52]) || !lowerHex(v[53:55]) {
		return false
	}
	if zeros(v[3:35]) || zeros(v[36:52]) {
		return false
	}
	switch string(v[:2]) {
	case "00":
		return len(v) == traceLen
	case "ff":
		return false
	}
	return len(v) == traceLen || v[traceLen] == '-' // a later version may add fields
}

// AppendTrace appends a new traceparent, not sampled: the edge records no spans. It does not allocate if dst
// has room.
func AppendTrace(dst []byte) []byte {
	dst = append(dst, "00-"...)
	dst = appendHex64(dst, rand.Uint64())
	dst = appendHex64(dst, rand.Uint64()|1) // ids of zeros are invalid
	dst = append(dst, '-')
	dst = appendHex64(dst, rand.Uint64()|1)
	return append(dst, "-00"...)
}

// TraceID is the trace id within a valid traceparent; nil if v is shorter.
func TraceID(v []byte) []byte {
	if len(v) < traceIDEnd {
		return nil
	}
	return v[traceIDAt:traceIDEnd]
}

func lowerHex(s []byte) bool {
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func zeros(s []byte) bool {
	for _, c := range s {
		if c != '0' {
			return false
		}
	}
	return true
}
