package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// defaultStrategy is the strategy of pools that name none; it exists although the file
// does not define it.
const defaultStrategy = "default"

// Fallback is the strategy that is no plugin: the edge's own choice, which also stands in
// when a plugin fails. No other strategy may have its name.
const Fallback = "fallback"

func (k *checker) pool(path string, p Pool) {
	k.strategyName(path+".strategy", p.Strategy)
	if len(p.Backends) == 0 && k.given(path+".backends") {
		k.refuse(path+".backends", "want at least one backend")
	}
	k.backends(path+".backends", p.Backends)
	k.affinity(path+".affinity", p.Affinity)
	k.upstream(path+".upstream", p)
	if a := p.Health.Active; a != nil && !isPath(a.Path) {
		k.refuse(path+".health.active.path", "want a path that begins with / and has no spaces")
	}
}

func (k *checker) strategyName(path, name string) {
	if _, ok := k.c.Strategies[name]; ok || name == defaultStrategy || name == Fallback || k.faulty["strategies"] {
		return
	}
	names := append(slices.Collect(maps.Keys(k.c.Strategies)), defaultStrategy, Fallback)
	if name, ok := strings.CutPrefix(name, "builtin/"); ok && slices.Contains(Builtins(), name) {
		k.refuse(path, "want the name of a strategy; define one under strategies with use: builtin/%s", name)
		return
	}
	k.refuse(path, "no strategy %q%s", name, suggest(name, names))
}

func (k *checker) backends(path string, list []Backend) {
	seen := map[string]int{}
	for i, b := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		if b.URL == "" && !k.given(at+".url") {
			continue // told of as missing
		}
		if _, _, err := b.Address(); err != nil {
			k.refuse(at+".url", "%s", err)
			continue
		}
		if b.ID != "" && !isID(b.ID) {
			k.refuse(at+".id", "an id is 1 to 128 visible ASCII characters without quotes")
		}
		if first, twice := seen[b.Name()]; twice {
			k.refuse(at, "the id %q is that of %s[%d] on line %d; give each its own",
				b.Name(), path, first, k.line(fmt.Sprintf("%s[%d]", path, first)))
			continue
		}
		seen[b.Name()] = i
	}
}

func (k *checker) line(path string) int {
	at, _ := k.finder.find(path)
	return at.place().line
}

func isID(s string) bool {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }
	return len(s) <= 128 && !strings.ContainsFunc(s, odd)
}

// isPath reports whether s can stand in a request line.
func isPath(s string) bool {
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }
	return strings.HasPrefix(s, "/") && !strings.ContainsFunc(s, odd)
}

const maxSecrets = 16 // each is tried for a token

func (k *checker) affinity(path string, a Affinity) {
	if k.given(path+".secret") && k.given(path+".secrets") {
		k.refuse(path+".secrets", "want secret or secrets, not both")
	}
	if len(a.Secrets) > maxSecrets {
		k.refuse(path+".secrets", "want at most %d secrets", maxSecrets)
	}
	for i, s := range a.Secrets {
		if j := slices.Index(a.Secrets, s); j < i && !s.IsZero() {
			k.refuse(fmt.Sprintf("%s.secrets[%d]", path, i), "listed twice")
		}
	}
	k.cookie(path+".cookie", a.Cookie)
}

func (k *checker) cookie(path string, c Cookie) {
	if c.Name != "" && (!isToken(c.Name) || len(c.Name) > 128) {
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
	if strings.HasPrefix(c.Name, "__Secure-") && insecure {
		k.refuse(path+".secure", "a __Secure- cookie is secure")
	}
	if strings.HasPrefix(c.Name, "__Host-") && (insecure || c.Path != "/" || c.Domain != "") {
		k.refuse(path+".name", "a __Host- cookie is secure, has the path / and no domain")
	}
}

// schemeOf is what a protocol is spoken over; "" = h1, over both.
func schemeOf(protocol string) string {
	switch protocol {
	case "h2c":
		return "http"
	case "h2":
		return "https"
	}
	return ""
}

func (k *checker) upstream(path string, p Pool) {
	secure, want := 0, schemeOf(p.Upstream.Protocol)
	for i, b := range p.Backends {
		found, _, err := b.Address()
		if err != nil {
			return
		}
		if found == "https" {
			secure++
		}
		if want != "" && want != found {
			at := strings.TrimSuffix(path, "upstream") + fmt.Sprintf("backends[%d].url", i)
			k.refuse(at, "upstream.protocol %s is spoken over %s", p.Upstream.Protocol, want)
		}
	}
	if t := p.Upstream.TLS; secure == 0 && t != (UpstreamTLS{}) {
		k.refuse(path+".tls", "no backend has an https URL")
	} else {
		k.upstreamTLS(path+".tls", t)
	}
}

func (k *checker) upstreamTLS(path string, t UpstreamTLS) {
	if t.ServerName != "" && !isDialable(t.ServerName) {
		k.refuse(path+".server_name", "want a host name or an address")
	}
	switch certificate, key := path+".certificate", path+".key"; {
	case t.Certificate != "" && t.Key == "" && !k.faulty[key]:
		k.refuse(certificate, "want key beside it, or neither")
	case t.Key != "" && t.Certificate == "" && !k.faulty[certificate]:
		k.refuse(key, "want certificate beside it, or neither")
	}
}
