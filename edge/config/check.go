package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// checker looks at what keys mean together. Values that the decoder refused are
// defaults here, so nothing is told of them again.
type checker struct {
	*decoder
	c      *Config
	faulty map[string]bool // paths that the decoder told of
	finder *finder
}

func (d *decoder) check(c *Config) {
	k := &checker{decoder: d, c: c, faulty: d.faulty(), finder: d.source.finder()}
	k.listen()
	k.proxies()
	k.admin()
	k.tls()
	k.lists()
	k.plugins()
	for _, name := range slices.Sorted(maps.Keys(c.Strategies)) {
		if name == Fallback {
			k.refuse("strategies."+name, "the name stands for the edge's own choice; give the strategy another")
			continue
		}
		k.strategy("strategies."+name, c.Strategies[name])
	}
	k.reliefs()
	for _, name := range slices.Sorted(maps.Keys(c.Pools)) {
		k.pool("pools."+name, c.Pools[name])
	}
	k.sites()
}

// faulty are the paths that were told of.
func (d *decoder) faulty() map[string]bool {
	paths := map[string]bool{}
	for _, f := range d.faults {
		paths[f.Path] = true
	}
	return paths
}

// refuse notes message for the value at path, unless the decoder had one for it.
func (k *checker) refuse(path, format string, args ...any) {
	if k.faulty[path] {
		return
	}
	at, _ := k.finder.find(path)
	k.tell(at.place(), text(path), fmt.Sprintf(format, args...))
}

// text is a path that is known already.
type text string

func (t text) String() string { return string(t) }

func (t text) leaf() string {
	if strings.HasSuffix(string(t), "]") {
		return ""
	}
	return string(t[strings.LastIndexByte(string(t), '.')+1:])
}

// given reports whether the file has the key at path.
func (k *checker) given(path string) bool {
	_, exact := k.finder.find(path)
	return exact
}

// sound reports whether nothing at path or below it was refused.
func (k *checker) sound(path string) bool {
	for faulty := range k.faulty {
		if rest, ok := strings.CutPrefix(faulty, path); ok && isEnd(rest) {
			return false
		}
	}
	return true
}

func (k *checker) listen() {
	l := k.c.Server.Listen
	for path, address := range map[string]string{"server.listen.http": l.HTTP, "server.listen.https": l.HTTPS} {
		if address == "" {
			continue
		}
		if _, _, err := splitAddress(address, true, true); err != nil {
			k.refuse(path, "%s", err)
		}
	}
	if !k.sound("server.listen") {
		return
	}
	if l.HTTP == "" && l.HTTPS == "" {
		k.refuse("server.listen", "want an address for http, https or both")
	}
	if l.HTTP != "" && l.HTTP == l.HTTPS && !strings.HasSuffix(l.HTTP, ":0") {
		k.refuse("server.listen.https", "the address is that of http")
	}
	k.protocols(l)
}

func (k *checker) protocols(l Listen) {
	const path = "server.protocols"
	given := k.c.Server.Protocols
	if len(given) == 0 {
		k.refuse(path, "want at least one protocol")
	}
	k.distinct(path, given)
	if l.HTTPS == "" && !slices.Equal(given, []string{"h1"}) && k.given(path) {
		k.refuse(path, "without server.listen.https only h1 is spoken")
	}
}

// distinct refuses what a list names twice.
func (k *checker) distinct(path string, list []string) {
	for i, s := range list {
		if j := slices.Index(list, s); j < i {
			k.refuse(fmt.Sprintf("%s[%d]", path, i), "listed twice")
		}
	}
}

const maxSocketName = 104 // bytes that every Unix allows in a socket's name

func (k *checker) admin() {
	network, address := k.c.AdminAddress()
	path := "admin.listen"
	if network == "unix" {
		if k.c.Admin.Listen == "" {
			path = "state_dir"
		}
		if !strings.HasPrefix(address, "/") || len(address) > maxSocketName {
			k.refuse(path, "want unix:///PATH of at most %d bytes for the admin socket", maxSocketName)
		}
		if k.given("admin.token") {
			k.refuse("admin.token", "a token is for an admin.listen on TCP; the socket is guarded by its mode")
		}
		return
	}
	if _, _, err := splitAddress(address, true, true); err != nil {
		k.refuse(path, "%s, or unix:///PATH", err)
	} else if !k.given("admin.token") {
		k.refuse(path, "on TCP admin.token must be given")
	}
}

func (k *checker) tls() {
	t := k.c.TLS
	if t.Email != "" && !strings.Contains(strings.Trim(t.Email, "@"), "@") {
		k.refuse("tls.email", "want an e-mail address")
	}
	if u, err := url.Parse(t.CA); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		k.refuse("tls.ca", "want the https URL of an ACME directory")
	}
	k.distinct("tls.challenges", t.Challenges)
	if len(t.Challenges) == 0 {
		k.refuse("tls.challenges", "want at least one challenge")
	}
	for i, s := range t.OnDemand.Allow {
		path := fmt.Sprintf("tls.on_demand.allow[%d]", i)
		if message := hostFault(s); message != "" {
			k.refuse(path, "%s", message)
		} else if s == "*" {
			k.refuse(path, "with * anyone could order certificates for any name; want a name or *.name")
		}
	}
}

// lists checks the small lists of words.
func (k *checker) lists() {
	for i, h := range k.c.Logging.Access.RedactHeaders {
		if !isToken(h) || strings.ToLower(h) != h {
			k.refuse(fmt.Sprintf("logging.access.redact_headers[%d]", i), "want the name of a header in lower case")
		}
	}
}

// isToken reports whether s is a token of RFC 9110, 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := ('a' <= c|0x20 && c|0x20 <= 'z') || ('0' <= c && c <= '9')
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}
