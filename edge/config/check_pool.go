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
	k.members(path, p)
	k.backends(path+".backends", p.Backends)
	k.affinity(path+".affinity", p.Affinity)
	k.upstream(path+".upstream", p)
	k.announced(path+".upstream", p.Upstream)
	k.active(path+".health.active", p.Health.Active)
	k.distinct(path+".retry.on", p.Retry.On)
}

// members checks that a pool has backends from one side.
func (k *checker) members(path string, p Pool) {
	backends, discover := k.given(path+".backends"), k.given(path+".discover")
	switch {
	case backends && discover:
		k.refuse(path+".discover", "want backends or discover, not both")
	case !backends && !discover && k.given(path) && !k.faulty[path]:
		k.refuse(path+".backends", "missing")
	case backends && len(p.Backends) == 0:
		k.refuse(path+".backends", "want at least one backend")
	case p.Discover != nil:
		k.discover(path+".discover", p.Discover)
	}
}

func (k *checker) discover(path string, d *Discover) {
	var sources []string
	for _, name := range []string{"file", "dns", "dns_srv", "docker"} {
		if k.given(path + "." + name) {
			sources = append(sources, name)
		}
	}
	if len(sources) != 1 {
		k.refuse(path, "want one of file, dns, dns_srv and docker")
		return
	}
	if _, _, err := splitAddress(d.DNS, false, false); d.DNS != "" && err != nil {
		k.refuse(path+".dns", "want host:port, as in api.internal:8080")
	}
	if d.DNSSRV != "" && !isSRV(d.DNSSRV) {
		k.refuse(path+".dns_srv", "want the name of SRV records, as in _api._tcp.example.internal")
	}
	if _, _, err := splitAddress(d.Resolver, false, false); d.Resolver != "" && err != nil {
		k.refuse(path+".resolver", "want host:port, as in 10.0.0.2:53")
	}
	if d.Docker != nil && strings.HasPrefix(d.Docker.Label, "=") {
		k.refuse(path+".docker.label", "want NAME or NAME=VALUE")
	}
	if d.Resolver != "" && d.DNS == "" && d.DNSSRV == "" {
		k.refuse(path+".resolver", "only dns and dns_srv ask a resolver")
	}
}

// isSRV reports whether s can be the name of SRV records (RFC 2782).
func isSRV(s string) bool {
	return strings.Count(s, ".") >= 2 && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"/:@\`, r)
	})
}

func (k *checker) active(path string, a *Active) {
	if a == nil {
		return
	}
	if !isPath(a.Path) {
		k.refuse(path+".path", "want a path that begins with / and has no spaces")
	}
	if a.Host != "" && !isDialable(a.Host) {
		k.refuse(path+".host", "want a host name or an address")
	}
	kinds := map[string]string{"path": "http", "host": "http", "status": "http", "body": "http", "service": "grpc"}
	for _, key := range []string{"path", "host", "status", "body", "service"} {
		if kinds[key] != a.Type && k.given(path+"."+key) {
			k.refuse(path+"."+key, "only probes of type %s have it", kinds[key])
		}
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
	k.refuse(path, "no strategy %q%s", name, offer(name, names))
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
	pool := strings.TrimSuffix(path, ".upstream")
	k.spoken(pool+".backends", p.Backends, p.Upstream.Protocol)
	secure := slices.ContainsFunc(p.Backends, func(b Backend) bool {
		scheme, _, err := b.Address()
		return err != nil || scheme == "https"
	})
	if d := p.Discover; d != nil {
		secure = d.Scheme == "https" || d.File != ""
		k.discovered(pool, p)
	}
	if t := p.Upstream.TLS; !secure && t != (UpstreamTLS{}) {
		k.refuse(path+".tls", "no backend has an https URL")
	} else {
		k.upstreamTLS(path+".tls", t)
	}
}

// spoken checks that the URLs of a list have the scheme of the protocol.
func (k *checker) spoken(path string, list []Backend, protocol string) {
	want := schemeOf(protocol)
	for i, b := range list {
		if found, _, err := b.Address(); err == nil && want != "" && want != found {
			at := fmt.Sprintf("%s[%d].url", path, i)
			k.refuse(at, "upstream.protocol %s is spoken over %s", protocol, want)
		}
	}
}

// discovered checks the scheme of backends that have no URL.
func (k *checker) discovered(pool string, p Pool) {
	d, path := p.Discover, pool+".discover"
	want := schemeOf(p.Upstream.Protocol)
	switch {
	case d.File != "" && k.given(path+".scheme"):
		k.refuse(path+".scheme", "the backends of a file have URLs")
	case d.File != "":
	case want != "" && want != d.Scheme:
		k.refuse(path+".scheme", "upstream.protocol %s is spoken over %s", p.Upstream.Protocol, want)
	case d.Scheme == "https" && d.DNS == "" && p.Upstream.TLS.ServerName == "":
		k.refuse(path+".scheme", "https needs upstream.tls.server_name: the name in the backends' certificate")
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
