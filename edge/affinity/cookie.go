package affinity

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Cookie is how the cookie that carries a token looks (RFC 6265). The name prefixes of RFC 6265bis are left
// off, and Secure too, where the client's connection is not TLS: browsers would refuse the cookie.
type Cookie struct {
	Name     string        // default: wedge-POOL, with __Host- (or __Secure-, if Path or Domain forbid) on TLS
	Path     string        // default: /
	Domain   string        // default: the host that answered
	SameSite string        // lax, strict or none; default: lax
	Secure   *bool         // nil = on TLS; true = always, for an edge behind another's TLS
	Scripts  bool          // scripts may read it: no HttpOnly
	MaxAge   time.Duration // how long a browser keeps it; 0 = until it is closed
}

const (
	hostPrefix   = "__Host-"
	securePrefix = "__Secure-"
)

// A cookieForm is the cookie as it goes over one kind of connection.
type cookieForm struct {
	name       []byte
	attributes []byte // what follows the value
}

func (c Cookie) compile(a *Affinity, pool string) error {
	if err := c.check(); err != nil {
		return err
	}
	name := cmp.Or(c.Name, c.defaultName(pool))
	a.bare = []byte(bareName(name))
	if len(a.bare) == 0 || bytes.IndexFunc(a.bare, notToken) >= 0 {
		return fmt.Errorf("name %q: want letters, digits, - and _", name)
	}
	onTLS := c.Secure == nil || *c.Secure
	if !onTLS && name != string(a.bare) {
		return fmt.Errorf("name %q: browsers take this prefix only with secure", name)
	}
	a.tls = c.form(name, onTLS)
	if c.Secure != nil && *c.Secure {
		a.plain = a.tls
	} else {
		a.plain = c.form(string(a.bare), false)
	}
	return nil
}

// bareName is name without its prefix, which browsers compare without case.
func bareName(name string) string {
	for _, p := range [...]string{hostPrefix, securePrefix} {
		if len(name) >= len(p) && strings.EqualFold(name[:len(p)], p) {
			return name[len(p):]
		}
	}
	return name
}

func (c Cookie) defaultName(pool string) string {
	name := "wedge-" + pool
	switch {
	case c.Secure != nil && !*c.Secure:
		return name
	case c.Domain != "" || cmp.Or(c.Path, "/") != "/":
		return securePrefix + name
	}
	return hostPrefix + name
}

func (c Cookie) check() error {
	isHost := len(c.Name) >= len(hostPrefix) && strings.EqualFold(c.Name[:len(hostPrefix)], hostPrefix)
	switch {
	case isHost && (c.Domain != "" || cmp.Or(c.Path, "/") != "/"):
		return fmt.Errorf("name %q: this prefix allows no domain and no path but /", c.Name)
	case c.Path != "" && c.Path[0] != '/':
		return fmt.Errorf("path %q: begin it with a slash", c.Path)
	case strings.ContainsFunc(c.Path, notAttribute):
		return fmt.Errorf("path %q: no semicolon, space or control character", c.Path)
	case strings.ContainsFunc(c.Domain, notDomain):
		return fmt.Errorf("domain %q: not a host name", c.Domain)
	case c.MaxAge < 0:
		return errors.New("max_age: want no time or some")
	case c.SameSite == "none" && c.Secure != nil && !*c.Secure:
		return errors.New("same_site none: browsers take it only with secure")
	}
	switch c.SameSite {
	case "", "lax", "strict", "none":
		return nil
	}
	return fmt.Errorf("same_site %q: want lax, strict or none", c.SameSite)
}

func (c Cookie) form(name string, secure bool) cookieForm {
	var s strings.Builder
	fmt.Fprintf(&s, "; Path=%s", cmp.Or(c.Path, "/"))
	if c.Domain != "" {
		fmt.Fprintf(&s, "; Domain=%s", c.Domain)
	}
	if c.MaxAge > 0 {
		fmt.Fprintf(&s, "; Max-Age=%d", max(c.MaxAge/time.Second, 1))
	}
	if secure {
		s.WriteString("; Secure")
	}
	if !c.Scripts {
		s.WriteString("; HttpOnly")
	}
	switch {
	case c.SameSite == "strict":
		s.WriteString("; SameSite=Strict")
	case c.SameSite != "none":
		s.WriteString("; SameSite=Lax")
	case secure: // without Secure browsers refuse None
		s.WriteString("; SameSite=None")
	}
	return cookieForm{[]byte(name), []byte(s.String())}
}

// Issues tells whether the value of a Set-Cookie field sets the cookie that carries the pool's tokens over such a
// connection. A cookie without a name counts by its value, which some browsers send back like a name.
func (a *Affinity) Issues(value []byte, secure bool) bool {
	if a == nil || a.carrier != InCookie {
		return false
	}
	pair, _, _ := bytes.Cut(value, separator)
	name, _, _ := bytes.Cut(bytes.TrimLeft(pair, white+"="), equals)
	return string(bytes.TrimRight(name, white)) == string(a.cookie(secure).name)
}

// notToken tells what a cookie's name may not have (RFC 9110, 5.6.2).
func notToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
}

func notAttribute(r rune) bool { return r <= ' ' || r >= 0x7f || r == ';' }

func notDomain(r rune) bool {
	letter := 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9'
	return !letter && r != '-' && r != '.'
}
