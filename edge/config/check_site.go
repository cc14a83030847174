package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (k *checker) sites() {
	if len(k.c.Sites) == 0 && k.given("sites") {
		k.refuse("sites", "want at least one site")
	}
	hosts := map[string]string{}
	for i, s := range k.c.Sites {
		path := fmt.Sprintf("sites[%d]", i)
		k.hosts(path+".hosts", s.Hosts, hosts)
		k.siteTLS(path, s)
		k.to(path, s)
		for j := range s.Routes {
			k.route(fmt.Sprintf("%s.routes[%d]", path, j), s.Routes[j])
			k.reached(path+".routes", s.Routes, j)
		}
	}
	k.anonymous()
}

// hosts checks a site's hosts; seen holds where each host was met before.
func (k *checker) hosts(path string, list []string, seen map[string]string) {
	if len(list) == 0 && k.given(path) {
		k.refuse(path, "want at least one host")
	}
	for i, h := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		if message := hostFault(h); message != "" {
			k.refuse(at, "%s", message)
			continue
		}
		if first, twice := seen[h]; twice {
			k.refuse(at, "%s is served by %s on line %d already", h, first, k.line(first))
			continue
		}
		seen[h] = at
	}
}

func (k *checker) siteTLS(path string, s Site) {
	at := path + ".tls"
	if !k.sound(at) || !k.sound("tls") || !k.sound("server.listen") {
		return
	}
	t := s.TLS
	if (t.Certificate == "") != (t.Key == "") {
		k.refuse(at, "want both certificate and key")
	}
	if t.Certificate != "" && t.Issuer != "" {
		k.refuse(at+".issuer", "with a certificate of its own the site has no issuer")
	}
	k.listening(at, t)
	if !t.Off() && t.Certificate == "" && k.c.Server.Listen.HTTPS != "" && k.issuer(t) == "acme" {
		k.acme(path, s)
	}
}

// listening holds what a site wants to the listeners there are.
func (k *checker) listening(at string, t SiteTLS) {
	l := k.c.Server.Listen
	switch {
	case t.Off() && t.ClientAuth != nil:
		k.refuse(at+".client_auth", "without TLS clients cannot show a certificate")
	case t.Off() && l.HTTP == "":
		k.refuse(at, "a site without TLS needs server.listen.http")
	case !t.Off() && l.HTTPS == "" && t != (SiteTLS{}):
		k.refuse(at, "TLS needs server.listen.https")
	}
}

func (k *checker) issuer(t SiteTLS) string {
	if t.Issuer != "" {
		return t.Issuer
	}
	return k.c.TLS.Issuer
}

// acme refuses hosts that no certificate could be had for.
func (k *checker) acme(path string, s Site) {
	want := "tls: internal or files, or tls: off"
	if s.TLS.ClientAuth != nil {
		want = "tls: { issuer: internal, client_auth: … } or files beside client_auth"
	}
	public := k.c.TLS.CA == Default().TLS.CA
	for i, h := range s.Hosts {
		at := fmt.Sprintf("%s.hosts[%d]", path, i)
		switch {
		case k.faulty[at] || hostFault(h) != "":
		case strings.HasPrefix(h, "*"):
			if len(k.c.TLS.OnDemand.Allow) == 0 {
				k.refuse(at, "a certificate for %s needs tls.on_demand.allow, %s", h, want)
			}
		case public && !isPublic(h):
			k.refuse(at, "no public authority issues for %s; want %s", h, want)
		}
	}
}

// to checks a site's own backends, or that it has routes instead.
func (k *checker) to(path string, s Site) {
	to, routes := k.given(path+".to"), k.given(path+".routes")
	switch {
	case to && routes:
		k.refuse(path+".routes", "want to or routes, not both")
	case !to && !routes:
		k.refuse(path, "want to, with the URLs of backends, or routes")
	case routes && len(s.Routes) == 0:
		k.refuse(path+".routes", "want at least one route")
	case to && len(s.To) == 0:
		k.refuse(path+".to", "want at least one URL")
	}
	seen := map[string]bool{}
	for i, url := range s.To {
		at := fmt.Sprintf("%s.to[%d]", path, i)
		_, address, err := Backend{URL: url}.Address()
		if err != nil {
			k.refuse(at, "%s", err)
		} else if seen[address] {
			k.refuse(at, "listed twice")
		}
		seen[address] = true
	}
}

func (k *checker) route(path string, r Route) {
	k.targets(path, r)
	if r.Strategy != "" {
		k.strategyName(path+".strategy", r.Strategy)
	}
	if message := patternFault(r.Match.Path); r.Match.Path != "" && message != "" {
		k.refuse(path+".match.path", "%s", message)
	}
	for i, m := range r.Match.Method {
		at := fmt.Sprintf("%s.match.method[%d]", path, i)
		if !isToken(m) {
			k.refuse(at, "want a method such as GET")
		} else if upper := strings.ToUpper(m); upper != m {
			k.refuse(at, "methods are in upper case; did you mean %q?", upper)
		}
	}
	k.distinct(path+".match.method", r.Match.Method)
}

// targets checks the pools of a route.
func (k *checker) targets(path string, r Route) {
	one, several := k.given(path+".pool"), k.given(path+".pools")
	switch {
	case one && several:
		k.refuse(path+".pools", "want pool or pools, not both")
	case !one && !several && !k.faulty[path]:
		k.refuse(path+".pool", "missing")
	case one:
		k.poolName(path+".pool", r.Pool)
	}
	seen, total := map[string]bool{r.Pool: true}, 0
	for i, s := range r.Pools {
		at := fmt.Sprintf("%s.pools[%d]", path, i)
		k.poolName(at+".pool", s.Pool)
		k.once(at+".pool", s.Pool, seen)
		total += s.Weight
	}
	if several && total == 0 {
		k.refuse(path+".pools", "want at least one pool with a weight")
	}
	for i, name := range r.Failover {
		at := fmt.Sprintf("%s.failover[%d]", path, i)
		k.poolName(at, name)
		k.once(at, name, seen)
	}
}

func (k *checker) poolName(path, name string) {
	if _, ok := k.c.Pools[name]; !ok && !k.faulty["pools"] && k.given(path) {
		k.refuse(path, "no pool %q%s", name, offer(name, slices.Collect(maps.Keys(k.c.Pools))))
	}
}

// once refuses what was seen before.
func (k *checker) once(path, name string, seen map[string]bool) {
	if seen[name] && name != "" {
		k.refuse(path, "listed twice")
	}
	seen[name] = true
}

// patternFault says why s is no path pattern; "" = it is one.
func patternFault(s string) string {
	switch {
	case !isPath(s) || strings.Contains(s, "?"):
		return "want a path that begins with / and has no spaces and no query"
	case strings.Contains(strings.TrimSuffix(s, "/**"), "**"):
		return "** is only the whole last segment, as in /app/**"
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(s, "/**"), "/") {
		if part == "." || part == ".." {
			return "never matches: . and .. are resolved before"
		}
		if strings.Count(part, "*") > 1 {
			return "a segment has one * at most"
		}
	}
	return ""
}

// reached refuses a route that an earlier one leaves nothing for: the first match
// serves.
func (k *checker) reached(path string, routes []Route, j int) {
	at := fmt.Sprintf("%s[%d]", path, j)
	for i := range j {
		earlier := fmt.Sprintf("%s[%d]", path, i)
		if covers(routes[i].Match, routes[j].Match) && k.sound(at+".match") && k.sound(earlier+".match") {
			k.refuse(at, "never reached: %s on line %d takes all that it matches", earlier, k.line(earlier))
			return
		}
	}
}

// covers reports whether a matches all that b matches, as far as it is plain to see.
func covers(a, b Match) bool {
	for _, m := range b.Method {
		if len(a.Method) > 0 && !slices.Contains(a.Method, m) {
			return false
		}
	}
	if len(a.Method) > 0 && len(b.Method) == 0 {
		return false
	}
	stem, below := strings.CutSuffix(a.Path, "/**")
	within := below && !strings.Contains(stem, "*") && (b.Path == stem || strings.HasPrefix(b.Path, stem+"/"))
	return a.Path == "" || a.Path == b.Path || (within && b.Path != "")
}

// anonymous refuses a named pool that has the name of a site's own.
func (k *checker) anonymous() {
	for _, s := range k.c.Sites {
		if len(s.To) == 0 {
			continue
		}
		if _, taken := k.c.Pools[s.poolName()]; taken {
			k.refuse("pools."+s.poolName(), "the name is that of the pool made from to for %s", s.Hosts[0])
		}
	}
}
