package config

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Builtins returns the names of the strategies that come with the edge, used as
// builtin/NAME.
func Builtins() []string {
	return []string{"consistent-hash", "cookie-sticky", "ip-affinity", "stateless"}
}

func (k *checker) strategy(path string, s Strategy) {
	if name, builtin := strings.CutPrefix(s.Use, "builtin/"); builtin {
		if !slices.Contains(Builtins(), name) {
			k.refuse(path+".use", "no built-in strategy %q%s", s.Use, offer(s.Use, usable(nil)))
		}
	} else if _, ok := k.c.Plugins[s.Use]; !ok && !k.faulty["plugins"] && k.given(path+".use") {
		k.refuse(path+".use", "no plugin %q%s", s.Use, offer(s.Use, usable(k.c.Plugins)))
	}
	for i, g := range s.Grants {
		kind, name, _ := strings.Cut(g, ":")
		lower := kind == "cookie" || (kind == "header" && strings.ToLower(name) == name)
		if !lower || !isToken(name) {
			k.refuse(fmt.Sprintf("%s.grants[%d]", path, i), "want header:NAME in lower case or cookie:NAME")
		}
	}
	k.distinct(path+".grants", s.Grants)
	if s.OnFault != "" {
		k.strategyName(path+".on_fault", s.OnFault)
	}
}

// sha256Size is the length of a digest, in bytes.
const sha256Size = 32

func (k *checker) plugins() {
	for name, p := range k.c.Plugins {
		path := "plugins." + name + ".sha256"
		digest, err := hex.DecodeString(p.SHA256)
		if k.given(path) && (err != nil || len(digest) != sha256Size) {
			k.refuse(path, "want the %d hex digits that sha256sum prints of the file", 2*sha256Size)
		}
	}
}

// reliefs refuses strategies that would stand in for themselves.
func (k *checker) reliefs() {
	for _, name := range slices.Sorted(maps.Keys(k.c.Strategies)) {
		if circle := k.c.circle(name); circle != nil {
			k.refuse("strategies."+name+".on_fault", "goes round in a circle: %s", strings.Join(circle, ", "))
		}
	}
}

// circle is the way from a strategy by on_fault back to itself, nil if there is none.
func (c *Config) circle(name string) []string {
	way := []string{name}
	for next := c.Strategies[name].OnFault; next != "" && len(way) <= len(c.Strategies); {
		way = append(way, next)
		if next == name {
			return way
		}
		next = c.Strategies[next].OnFault
	}
	return nil
}

// usable returns what a strategy may use.
func usable(plugins map[string]Plugin) []string {
	names := slices.Collect(maps.Keys(plugins))
	for _, b := range Builtins() {
		names = append(names, "builtin/"+b)
	}
	return names
}
