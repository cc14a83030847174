package config

import (
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// trail is the way from the root to a value. The nil trail is the root.
type trail struct {
	up    *trail
	key   string     // of a section, or
	index int        // of a list, if in
	in    bool       // a list
	node  *yaml.Node // what names the value: its key, or in a list itself
	depth int
}

func (t *trail) child(key string, node *yaml.Node) *trail {
	return &trail{up: t, key: key, node: node, depth: t.level() + 1}
}

func (t *trail) item(i int, node *yaml.Node) *trail {
	return &trail{up: t, index: i, in: true, node: node, depth: t.level() + 1}
}

func (t *trail) level() int {
	if t == nil {
		return 0
	}
	return t.depth
}

func (t *trail) leaf() string {
	if t == nil {
		return ""
	}
	return t.key
}

var plainStep = regexp.MustCompile(`^[A-Za-z0-9_.*<-]+$`)

// String returns the path, such as pools.shop.backends[0].url.
func (t *trail) String() string {
	switch {
	case t == nil:
		return ""
	case t.in:
		return t.up.String() + "[" + strconv.Itoa(t.index) + "]"
	case !plainStep.MatchString(t.key):
		return t.up.String() + "[" + strconv.Quote(t.key) + "]"
	case t.up == nil:
		return t.key
	}
	return t.up.String() + "." + t.key
}
