package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

const maxSecrets = 16 // each is tried for a token

func (k *checker) affinity(path string, a Affinity) {
	if k.given(path+".secret") && k.given(path+".secrets") {
		k.refuse(path+".secrets", "want secret or secrets, not both")
	}
	switch {
	case len(a.Secrets) > maxSecrets:
		k.refuse(path+".secrets", "want at most %d secrets", maxSecrets)
	case len(a.Secrets) == 0 && k.given(path+".secrets"):
		k.refuse(path+".secrets", "want at least one secret, or leave the key out: the edge makes one then")
	}
	for i, s := range a.Secrets {
		if j := slices.Index(a.Secrets, s); j < i && !s.IsZero() {
			k.refuse(fmt.Sprintf("%s.secrets[%d]", path, i), "listed twice")
		}
	}
	k.cookie(path+".cookie", a.Cookie)
	k.carrier(path, a)
	if a.Session != nil {
		k.session(path+".session", a)
	}
}

func (k *checker) carrier(path string, a Affinity) {
	users := map[string][]string{"cookie": {"cookie"}, "header": {"header", "query"}, "query": {"query"}}
	for _, key := range []string{"cookie", "header", "query"} {
		if k.given(path+"."+key) && !slices.Contains(users[key], a.Carrier) {
			k.refuse(path+"."+key, "the carrier is %s", a.Carrier)
		}
	}
	if !isToken(a.Header) {
		k.refuse(path+".header", "want the name of a field")
	}
	if !isToken(a.Query) || strings.ContainsAny(a.Query, "!#$%&'*+^`|~") {
		k.refuse(path+".query", "want the name of a URL parameter: letters, digits, - and _")
	}
}

func (k *checker) session(path string, a Affinity) {
	s := a.Session
	if len(s.Source) == 0 && k.given(path+".source") {
		k.refuse(path+".source", "want at least one of cookie:NAME, header:NAME and query:NAME")
	}
	k.places(path+".source", s.Source, a, "cookie:NAME, header:NAME or query:NAME", "cookie", "header", "query")
	k.places(path+".learn", s.Learn, a, "cookie:NAME or header:NAME", "cookie", "header")
}

// places checks a list of kind:NAME.
func (k *checker) places(path string, list []string, a Affinity, want string, kinds ...string) {
	for i, place := range list {
		kind, name, _ := strings.Cut(place, ":")
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case !slices.Contains(kinds, kind) || !isToken(name):
			k.refuse(at, "want %s", want)
		case a.carries(poolOf(path), kind, name):
			k.refuse(at, "the edge's own token is there, and is taken out; want a place of the application's")
		case kind == "header" && (strings.EqualFold(name, "cookie") || strings.EqualFold(name, "set-cookie")):
			k.refuse(at, "want a cookie by its name: cookie:NAME")
		case kind == "header" && slices.Contains(framing, strings.ToLower(name)):
			k.refuse(at, "this field is of the connection or of every request; "+
				"want one that the application made, or cookie:NAME")
		}
	}
	k.distinct(path, list)
}

// framing are fields that hold no session's id: they end at the edge, or are alike in many requests.
var framing = []string{
	"connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer",
	"transfer-encoding", "upgrade",
}

// poolOf is the name in the path of something in a pool; a name has no dots.
func poolOf(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "pools."), ".")
	return name
}

// carries reports whether the pool's own token is at a place: what is found there is not the application's.
func (a Affinity) carries(pool, kind, name string) bool {
	switch kind {
	case "cookie":
		_, own := cookiePrefix(cmp.Or(a.Cookie.Name, "wedge-"+pool))
		_, bare := cookiePrefix(name)
		return a.Carrier == "cookie" && own == bare
	case "header":
		return a.Carrier != "cookie" && strings.EqualFold(a.Header, name)
	}
	return a.Carrier == "query" && a.Query == name
}

const (
	hostPrefix   = "__Host-"
	securePrefix = "__Secure-"
)

// cookiePrefix splits a cookie's name at the prefix that it has on TLS only, whose case does not count (RFC
// 6265bis 4.1.3).
func cookiePrefix(name string) (prefix, bare string) {
	for _, p := range []string{hostPrefix, securePrefix} {
		if len(name) >= len(p) && strings.EqualFold(name[:len(p)], p) {
			return p, name[len(p):]
		}
	}
	return "", name
}

func (k *checker) cookie(path string, c Cookie) {
	prefix, bare := cookiePrefix(c.Name)
	if c.Name != "" && (!isToken(bare) || len(c.Name) > 128) {
		k.refuse(path+".name", "want a cookie name: letters, digits and !#$%%&'*+-.^_`|~")
	}
	if !isPath(c.Path) || strings.Contains(c.Path, ";") {
		k.refuse(path+".path", "want a path that begins with / and has no spaces")
	}
	if c.Domain != "" && !isName(c.Domain) {
		k.refuse(path+".domain", "want a host name")
	}
	insecure := c.Secure != nil && !*c.Secure
	if c.SameSite == "none" && insecure {
		k.refuse(path+".same_site", "browsers take none only from a secure cookie")
	}
	if prefix == securePrefix && insecure {
		k.refuse(path+".secure", "a __Secure- cookie is secure")
	}
	if prefix == hostPrefix && (insecure || c.Path != "/" || c.Domain != "") {
		k.refuse(path+".name", "a __Host- cookie is secure, has the path / and no domain")
	}
}
