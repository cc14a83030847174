package proxy

import (
	"bytes"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

// statusOf is the answer to a failure: what a gateway says (RFC 9110 15.6), nothing of the inside. 0 = none,
// the client has left.
var statusOf = map[balance.Kind]int{
	balance.ConnectFailed:  http.StatusBadGateway,
	balance.TimedOut:       http.StatusGatewayTimeout,
	balance.Reset:          http.StatusBadGateway,
	balance.BadAnswer:      http.StatusBadGateway,
	balance.Busy:           http.StatusServiceUnavailable,
	balance.Severed:        http.StatusServiceUnavailable,
	balance.BadRequestBody: http.StatusBadRequest, // or what statusOfBody says
	balance.ClientGone:     0,
}

// problem answers with an error page: the status, the request id, and JSON if the client prefers it.
func (p *Proxy) problem(x *Exchange, status int, reason string, extra ...http1.Field) {
	x.reason = reason
	body, kind := page(status, x.requestID(), x.prefersJSON())
	f := append(x.fields[:0], extra...)
	f.Add(nameContentType, kind)
	f.Add(nameCacheControl, []byte("no-store"))
	p.answer(x, status, f, body)
}

// methodsAllowed answers for the methods that are no route's to take: CONNECT and TRACE.
var methodsAllowed = []byte("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")

// Refuse answers an exchange whose request the front did not take: x.Request is what could be read of it. The
// client gets an error page, and the request is counted and logged, as from Serve.
func (p *Proxy) Refuse(x *Exchange, status int, reason string) {
	x.begin(p.current.Load())
	defer p.end(x)
	x.Request.Length, x.Request.Body = 0, nil
	x.pick.ClientIP = x.client()
	if status == http.StatusMethodNotAllowed {
		p.problem(x, status, reason, http1.Field{Name: nameAllow, Value: methodsAllowed})
		return
	}
	p.problem(x, status, reason)
}

// answer sends a whole answer of the edge's own.
func (p *Proxy) answer(x *Exchange, status int, f http1.Fields, body []byte) {
	x.status = status
	f.Add(nameDate, p.clock.at(x.start))
	x.fields = f
	if x.Reply.Head(status, f, int64(len(body))) != nil {
		return
	}
	if string(x.Request.Method) != http.MethodHead && len(body) > 0 {
		n, err := x.Reply.Write(body)
		if x.out += int64(n); err != nil {
			return
		}
	}
	_ = x.Reply.End(nil) // the client has left: there is nobody to tell
}

func page(status int, id []byte, asJSON bool) (body, kind []byte) {
	text := http.StatusText(status)
	if asJSON {
		body = append(body, `{"status":`...)
		body = strconv.AppendInt(body, int64(status), 10)
		body = append(append(append(body, `,"error":"`...), text...), `","request_id":"`...)
		return append(append(body, id...), "\"}\n"...), []byte("application/json")
	}
	body = strconv.AppendInt(body, int64(status), 10)
	body = append(append(append(body, ' '), text...), "\nrequest id: "...)
	return append(append(body, id...), '\n'), []byte("text/plain; charset=utf-8")
}

// prefersJSON tells whether Accept names JSON and not HTML before it.
func (x *Exchange) prefersJSON() bool {
	accept, _ := x.Request.Fields.Get("accept")
	json := bytes.Index(accept, []byte("json"))
	html := bytes.Index(accept, []byte("text/html"))
	return json >= 0 && (html < 0 || json < html)
}

// broken answers 500 if nothing was answered yet, and else cuts the answer.
func (p *Proxy) broken(x *Exchange) {
	if x.status == 0 {
		p.problem(x, http.StatusInternalServerError, "panic")
		return
	}
	x.Reply.Cut()
}

func stack() string { return string(debug.Stack()) }
