package config

import "go.yaml.in/yaml/v3"

// pair is one key of a section and its value.
type pair struct {
	name       string
	key, value *yaml.Node
}

// pairs returns the keys of section n in their order, those that merge keys take in
// behind the section's own and only where it has none of that name.
func (d *decoder) pairs(n *yaml.Node, t *trail) []pair {
	var own []pair
	var merges []*yaml.Node
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if isMergeKey(key) {
			merges = append(merges, value)
			continue
		}
		if name, ok := d.keyName(key, t); ok && d.first(seen, name, key, t) {
			own = append(own, pair{name, key, value})
		}
	}
	for _, m := range merges {
		own = d.merge(own, seen, m, t, false)
	}
	return own
}

// keyName returns the text of key, which may be an alias.
func (d *decoder) keyName(key *yaml.Node, t *trail) (string, bool) {
	text := key
	if key.Kind == yaml.AliasNode {
		text = key.Alias
	}
	switch {
	case kindOf(text) != kindText:
		d.fault(t, key, "a key is text, found %s", kindOf(text))
		return "", false
	case len(text.Value) > maxKey:
		d.fault(t, key, "a key has at most %d bytes", maxKey)
		return "", false
	}
	return text.Value, true
}

func (d *decoder) first(seen map[string]*yaml.Node, name string, key *yaml.Node, t *trail) bool {
	if before := seen[name]; before != nil {
		d.fault(t.child(name, key), nil, "duplicate key; the first is on line %d", before.Line)
		return false
	}
	seen[name] = key
	return true
}

// merge adds the keys of m, a section or a list of sections, that are not in seen.
func (d *decoder) merge(to []pair, seen map[string]*yaml.Node, m *yaml.Node, t *trail, inList bool) []pair {
	deeper := t
	if !inList {
		deeper = t.child("<<", m)
	}
	m, leave := d.enter(m, deeper)
	if m == nil {
		return to
	}
	defer leave()
	if kindOf(m) == kindList && !inList {
		for i, item := range m.Content {
			to = d.merge(to, seen, item, deeper.item(i, item), true)
		}
		return to
	}
	if kindOf(m) != kindSection {
		d.fault(deeper, m, "<< takes a section or a list of sections")
		return to
	}
	for _, p := range d.pairs(m, deeper) {
		if !d.spend(p.key) {
			return to
		}
		if seen[p.name] == nil {
			seen[p.name] = p.key
			to = append(to, p)
		}
	}
	return to
}
