package listen

import (
	"io"
	"reflect"
)

// cutInFrame tells whether the end of its stream came inside a DATA frame, for the body of an h3 request that
// has given io.EOF. That is an error (RFC 9114 7.1) which quic-go 0.65 does not report, so its own count of
// the bytes to come is looked up.
func cutInFrame(body io.Reader) bool {
	v := reflect.Indirect(reflect.ValueOf(body))
	for _, name := range [...]string{"body", "str", "bytesRemainingInFrame"} {
		if v.Kind() != reflect.Struct {
			return false
		}
		v = reflect.Indirect(v.FieldByName(name))
	}
	return v.CanUint() && v.Uint() > 0
}
