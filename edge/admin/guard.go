package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// guard lets through what may be asked at all: an exact path, by the right name, from no foreign page, with
// the token.
func (s *Server) guard(next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(s.opt.Token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		switch {
		case !exactPath(r.URL):
			writeProblem(w, noSuchPath(r))
		case !s.calledByName(r.Host):
			writeProblem(w, newProblem(http.StatusForbidden, "the Host "+r.Host+" is not this edge's",
				"call it by its address, or name the host in the configuration"))
		case foreign(r):
			writeProblem(w, newProblem(http.StatusForbidden, "a page of another origin asks", ""))
		case s.opt.Token != "" && !open(r.URL.Path) && !authorised(r, want):
			h.Set("WWW-Authenticate", "Bearer")
			writeProblem(w, newProblem(http.StatusUnauthorized, "the token is missing or wrong",
				"send it as Authorization: Bearer TOKEN"))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// open tells which paths need no token: those that an orchestrator asks for.
func open(path string) bool { return path == "/livez" || path == "/readyz" }

// exactPath tells whether a path is its own only spelling: nothing is cleaned, redirected or decoded twice.
func exactPath(u *url.URL) bool {
	p := u.Path
	if !strings.HasPrefix(p, "/") || p != "/" && path.Clean(p) != p {
		return false
	}
	if strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
		return false
	}
	escaped := strings.ToLower(u.EscapedPath())
	return !strings.Contains(escaped, "%2f") && !strings.Contains(escaped, "%2e")
}

// calledByName holds Host against DNS rebinding. Nothing but programs of this machine reaches a unix socket.
func (s *Server) calledByName(host string) bool {
	if s.address.network == "unix" {
		return true
	}
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	name = strings.ToLower(name)
	return isLoopback(name) || name == s.address.host() && name != "" || slices.Contains(s.opt.Hosts, name)
}

// foreign tells whether a browser sends r for a page that is not the API's own.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || u.Host != r.Host {
			return true
		}
	}
	return false
}

// authorised compares digests, so that neither bytes nor length show in the time.
func authorised(r *http.Request, want [sha256.Size]byte) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	got := sha256.Sum256([]byte(token))
	return ok && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}
