package admin

import (
	"net/http"
	"slices"
	"strings"
)

// A call is one endpoint: it answers with a value, or with an error.
type call func(r *http.Request) (any, error)

// methods are the calls of one path.
type methods map[string]call

// Handler is the API without its listener.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for path, m := range map[string]methods{
		"/livez":                     {"GET": s.live},
		"/readyz":                    {"GET": s.ready},
		"/v1/status":                 {"GET": s.status},
		"/v1/config":                 {"GET": s.config},
		"/v1/config/reload":          {"POST": s.reload},
		"/v1/strategies":             {"GET": s.strategies},
		"/v1/strategies/{s}":         {"GET": s.strategy},
		"/v1/strategies/{s}/swap":    {"POST": s.swap},
		"/v1/pools":                  {"GET": s.pools},
		"/v1/pools/{p}":              {"GET": s.pool},
		"/v1/pools/{p}/backends/{b}": {"GET": s.backend, "PATCH": s.patchBackend},
		"/v1/overrides":              {"GET": s.overrides},
		"/v1/certificates":           {"GET": s.certificates},
		"/v1/ca":                     {"GET": s.authority},
	} {
		mux.Handle(path, s.handle(m))
	}
	if s.opt.Metrics != nil {
		mux.Handle("/metrics", onlyGet(s.opt.Metrics))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { writeProblem(w, noSuchPath(r)) })
	return s.guard(mux)
}

func noSuchPath(r *http.Request) *Problem {
	return NotFound("path", r.URL.Path, "GET /v1/status is a place to start")
}

// handle serves the calls of one path. HEAD is GET without its body. Each call that may write leaves a line.
func (s *Server) handle(m methods) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		do := m[method]
		if do == nil {
			refuseMethod(w, r, m)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody+1) // closes the connection of who sends more
		answer, err := do(r)
		if method != http.MethodGet {
			s.audit(r, err)
		}
		if err != nil {
			writeProblem(w, err)
			return
		}
		writeAnswer(w, answer)
	})
}

func refuseMethod(w http.ResponseWriter, r *http.Request, m methods) {
	var allow []string
	for method := range m {
		if allow = append(allow, method); method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	w.Header().Set("Allow", strings.Join(allow, ", "))
	writeProblem(w, newProblem(http.StatusMethodNotAllowed, r.URL.Path+" does not take "+r.Method,
		"use "+strings.Join(allow, " or ")))
}

func onlyGet(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			refuseMethod(w, r, methods{http.MethodGet: nil})
			return
		}
		h.ServeHTTP(w, r)
	})
}

// audit leaves the line of a write.
func (s *Server) audit(r *http.Request, err error) {
	result := "done"
	if err != nil {
		result = problemOf(err).Error()
	}
	from := "unix socket"
	if s.address.network != "unix" {
		from = r.RemoteAddr
	}
	s.opt.Logger.Info("admin write", "method", r.Method, "path", r.URL.Path, "from", from, "result", result)
}
