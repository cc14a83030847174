package proxy

import (
	"net/http"
	"sync/atomic"
	"time"
)

// date is the Date field's value, formatted once a second (RFC 9110 5.6.7).
type date struct{ current atomic.Pointer[stamp] }

type stamp struct {
	second int64
	text   []byte
}

func (d *date) at(now time.Time) []byte {
	second := now.Unix()
	if s := d.current.Load(); s != nil && s.second == second {
		return s.text
	}
	s := &stamp{second, now.UTC().AppendFormat(nil, http.TimeFormat)}
	d.current.Store(s)
	return s.text
}
