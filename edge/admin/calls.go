package admin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

const (
	maxBody  = 24 << 20 // bytes: a module of 16 MiB in base64, and its options
	maxPatch = 4 << 10
)

// text is an answer that is not JSON.
type text struct {
	kind string
	body []byte
}

func writeAnswer(w http.ResponseWriter, answer any) {
	t, ok := answer.(text)
	if !ok {
		body, err := json.MarshalIndent(answer, "", "  ")
		if err != nil {
			writeProblem(w, err)
			return
		}
		t = text{"application/json", append(body, '\n')}
	}
	w.Header().Set("Content-Type", t.kind)
	_, _ = w.Write(t.body) // who asked has left: there is nobody to tell
}

func (s *Server) live(*http.Request) (any, error) {
	return text{"text/plain; charset=utf-8", []byte("ok\n")}, nil
}

func (s *Server) ready(r *http.Request) (any, error) {
	if err := s.control.Ready(); err != nil {
		return nil, newProblem(http.StatusServiceUnavailable, "not ready: "+err.Error(), "")
	}
	return s.live(r)
}

func (s *Server) status(*http.Request) (any, error) {
	st := s.control.Status()
	st.Listeners = list(st.Listeners)
	return st, nil
}

func (s *Server) config(*http.Request) (any, error) {
	body, err := s.control.Config()
	return text{"application/yaml", body}, err
}

func (s *Server) reload(r *http.Request) (any, error) {
	if err := s.control.Reload(r.Context()); err != nil {
		return nil, err
	}
	return s.status(r)
}

func (s *Server) strategies(*http.Request) (any, error) { return s.allStrategies(), nil }

func (s *Server) allStrategies() []Strategy {
	all := list(s.control.Strategies())
	for i := range all {
		all[i].Pools = list(all[i].Pools)
	}
	return all
}

// list gives an empty list for none: JSON's null is not a list.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

func (s *Server) strategy(r *http.Request) (any, error) { return s.findStrategy(r.PathValue("s")) }

func (s *Server) findStrategy(name string) (any, error) {
	all := s.allStrategies()
	i := slices.IndexFunc(all, func(t Strategy) bool { return t.Name == name })
	if i < 0 {
		names := make([]string, len(all))
		for i := range all {
			names[i] = all[i].Name
		}
		return nil, NotFound("strategy", name, "there are: "+strings.Join(names, ", "))
	}
	return all[i], nil
}

const swapExample = `{"use": "builtin/stateless"}`

func (s *Server) swap(r *http.Request) (any, error) {
	name := r.PathValue("s")
	if _, err := s.findStrategy(name); err != nil {
		return nil, err
	}
	select {
	case s.swapping <- struct{}{}:
		defer func() { <-s.swapping }()
	default:
		return nil, Conflict("another swap is in progress", "try again once it is done")
	}
	var body Swap
	if err := readJSON(r, &body, maxBody, swapExample); err != nil {
		return nil, err
	}
	if body.Use == "" {
		return nil, newProblem(http.StatusBadRequest, "use is missing", "name what to run, as in "+swapExample)
	}
	return s.control.Swap(r.Context(), name, body)
}

func (s *Server) pools(*http.Request) (any, error) { return s.allPools(), nil }

func (s *Server) allPools() []Pool {
	all := list(s.control.Pools())
	for i := range all {
		all[i].Backends = list(all[i].Backends)
	}
	return all
}

func (s *Server) pool(r *http.Request) (any, error) { return s.findPool(r.PathValue("p")) }

func (s *Server) findPool(name string) (Pool, error) {
	all := s.allPools()
	i := slices.IndexFunc(all, func(p Pool) bool { return p.Name == name })
	if i < 0 {
		names := make([]string, len(all))
		for i := range all {
			names[i] = all[i].Name
		}
		return Pool{}, NotFound("pool", name, "there are: "+strings.Join(names, ", "))
	}
	return all[i], nil
}

func (s *Server) backend(r *http.Request) (any, error) {
	p, err := s.findPool(r.PathValue("p"))
	if err != nil {
		return nil, err
	}
	id := r.PathValue("b")
	i := slices.IndexFunc(p.Backends, func(b Backend) bool { return b.ID == id })
	if i < 0 {
		return nil, NotFound("backend", id, "GET /v1/pools/"+p.Name+" lists those of the pool")
	}
	return p.Backends[i], nil
}

func (s *Server) certificates(*http.Request) (any, error) { return list(s.control.Certificates()), nil }

func (s *Server) authority(*http.Request) (any, error) {
	pem, err := s.control.Authority()
	return text{"application/x-pem-file", pem}, err
}
