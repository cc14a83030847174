package balance

import (
	"bytes"
	"math"
	"strconv"
	"time"
)

// ReportName is the response field by which a backend reports its load, as in ORCA (the Open Request Cost
// Aggregation of xDS).
const ReportName = "endpoint-load-metrics"

const (
	maxReport      = 4 << 10 // bytes of a report
	maxNumber      = 32      // bytes of a number
	maxUtilization = 1000    // that is believed
	million        = 1e6
	stale          = 100 // tenths of a second
)

// ParseReport reads the load of a backend out of a report in the form TEXT or JSON: its application_utilization,
// or its cpu_utilization if that is 0 or missing. 1 is a backend that has nothing left; it may be more. It is
// false for a report that is malformed in any part, or that tells neither.
func ParseReport(value []byte) (utilization float64, ok bool) {
	if len(value) > maxReport {
		return 0, false
	}
	var r report
	if list, found := bytes.CutPrefix(value, []byte("TEXT ")); found {
		ok = r.readText(list)
	} else if object, found := bytes.CutPrefix(value, []byte("JSON ")); found {
		ok = r.readJSON(object)
	}
	return r.utilization(), ok && (r.cpu.told || r.application.n > 0)
}

// A report is the parts of ORCA's LoadReport that are used.
type report struct{ cpu, application figure }

type figure struct {
	n    float64
	told bool
}

func (r *report) utilization() float64 {
	if r.application.n > 0 {
		return r.application.n
	}
	return r.cpu.n
}

// set takes one name and its number. Names that are not used may be any; JSON knows them in two forms.
func (r *report) set(name, number []byte) bool {
	n, ok := parseNumber(number)
	if !ok {
		return false
	}
	f := (*figure)(nil)
	switch string(name) {
	case "cpu_utilization", "cpuUtilization":
		f = &r.cpu
	case "application_utilization", "applicationUtilization":
		f = &r.application
	default:
		return true
	}
	if f.told || n > maxUtilization {
		return false
	}
	*f = figure{n, true}
	return true
}

// parseNumber reads a decimal number that is not negative.
func parseNumber(b []byte) (float64, bool) {
	if len(b) == 0 || len(b) > maxNumber || b[0] < '0' || b[0] > '9' {
		return 0, false
	}
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-' {
			return 0, false
		}
	}
	n, err := strconv.ParseFloat(string(b), 64)
	return n, err == nil
}

// readText reads name=number, name=number.
func (r *report) readText(list []byte) bool {
	for more := true; more; {
		var item []byte
		item, list, more = bytes.Cut(list, []byte(","))
		name, number, ok := bytes.Cut(bytes.Trim(item, " \t"), []byte("="))
		if !ok || !isReportName(name) || !r.set(name, number) {
			return false
		}
	}
	return true
}

func isReportName(name []byte) bool {
	for _, c := range name {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return len(name) > 0
}

// readJSON reads one object of numbers, and of objects of numbers.
func (r *report) readJSON(b []byte) bool {
	rest, ok := r.object(b, false)
	return ok && len(trimSpace(rest)) == 0
}

func trimSpace(b []byte) []byte { return bytes.TrimLeft(b, " \t\r\n") }

// object reads an object and gives what is behind it. What is in a nested one is the application's.
func (r *report) object(b []byte, nested bool) (rest []byte, ok bool) {
	if b, ok = token(b, '{'); !ok {
		return nil, false
	}
	if rest, ok = token(b, '}'); ok {
		return rest, true
	}
	for {
		if b, ok = r.member(b, nested); !ok {
			return nil, false
		}
		if rest, ok = token(b, '}'); ok {
			return rest, true
		}
		if b, ok = token(b, ','); !ok {
			return nil, false
		}
	}
}

// member reads a name and what it stands for.
func (r *report) member(b []byte, nested bool) (rest []byte, ok bool) {
	if b, ok = token(b, '"'); !ok {
		return nil, false
	}
	end := bytes.IndexByte(b, '"')
	if end <= 0 || !isReportName(b[:end]) {
		return nil, false
	}
	name := b[:end]
	if b, ok = token(b[end+1:], ':'); !ok {
		return nil, false
	}
	b = trimSpace(b)
	if len(b) > 0 && b[0] == '{' && !nested {
		return r.object(b, true)
	}
	end = 0
	for end < len(b) && b[end] > ' ' && b[end] != ',' && b[end] != '}' {
		end++
	}
	if nested {
		name = nil
	}
	return b[end:], r.set(name, b[:end])
}

// token takes one character, and the white space before it.
func token(b []byte, c byte) (rest []byte, ok bool) {
	if b = trimSpace(b); len(b) == 0 || b[0] != c {
		return b, false
	}
	return b[1:], true
}

// WantReports has what backends report of their load read from now on.
func (p *Pool) WantReports() {
	if !p.reports.Load() {
		p.reports.Store(true)
	}
}

// WantsReports tells whether anybody asked for what backends report.
func (p *Pool) WantsReports() bool { return p.reports.Load() }

// Reported notes a backend's utilization. The average moves by 1/8 of the difference (RFC 6298's smoothing), or
// begins anew if the last report is stale; one that is lost to a concurrent one is of no weight.
func (l *Load) Reported(utilization float64, now time.Time) {
	old := l.report.Load()
	next := min(utilization, maxUtilization) * million
	if before, ok := fresh(old, now); ok {
		next = float64(before) + (next-float64(before))/8
	}
	l.report.CompareAndSwap(old, uint64(tenths(now))<<32|uint64(uint32(math.Round(next)))+1)
}

// Utilization is the moving average of what the backend reports, in parts per million of what it can do. It is
// false if nothing came within the last 10 s.
func (l *Load) Utilization(now time.Time) (ppm int32, ok bool) { return fresh(l.report.Load(), now) }

// fresh takes apart what Load keeps: the time above, one more than the value below.
func fresh(report uint64, now time.Time) (ppm int32, ok bool) {
	age := tenths(now) - uint32(report>>32)
	return int32(uint32(report) - 1), uint32(report) != 0 && age <= stale
}

func tenths(t time.Time) uint32 { return uint32(t.UnixMilli() / 100) }
