package certs

import "crypto/tls"

// localSource serves a site from the local authority.
type localSource struct {
	hosts  []string
	set    map[string]bool
	leaves *leaves
}

func newLocalSource(hosts []string, l *leaves) *localSource {
	s := &localSource{hosts: hosts, set: map[string]bool{}, leaves: l}
	for _, h := range hosts {
		s.set[h] = true
	}
	return s
}

// certificate makes one for each host and pattern of the site, and under "*" one for each name.
func (s *localSource) certificate(_ *tls.ClientHelloInfo, name string) (*tls.Certificate, error) {
	if name == "" {
		return s.leaves.other("localhost")
	}
	if s.set[name] {
		return s.leaves.fixed(name)
	}
	if pattern := "*" + afterLabel(name); pattern != "*" && s.set[pattern] {
		return s.leaves.fixed(pattern)
	}
	return s.leaves.other(name)
}

func (s *localSource) list() []Info {
	var infos []Info
	for _, h := range s.hosts {
		infos = append(infos, infoOf(h, SourceInternal, s.leaves.peek(h), nil))
	}
	return infos
}
