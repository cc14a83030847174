package config

import (
	"regexp"

	"go.yaml.in/yaml/v3"
)

// kind is what a node is, as messages call it.
type kind string

const (
	kindSection kind = "a section"
	kindList    kind = "a list"
	kindText    kind = "text"
	kindInt     kind = "a whole number"
	kindFloat   kind = "a number"
	kindBool    kind = "true or false"
	kindNull    kind = "nothing"
	kindUnknown kind = "a value with a tag"
)

var (
	coreInt   = regexp.MustCompile(`^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$`)
	coreFloat = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	coreOdd   = regexp.MustCompile(`^([-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN)$`)
)

// kindOf resolves n, which is no alias, by the core schema of YAML 1.2 (10.3.2).
func kindOf(n *yaml.Node) kind {
	tagged := n.Style&yaml.TaggedStyle != 0
	switch {
	case tagged && n.Kind == yaml.ScalarNode:
		return taggedKind(n)
	case n.Kind == yaml.MappingNode && (!tagged || n.Tag == "!!map"):
		return kindSection
	case n.Kind == yaml.SequenceNode && (!tagged || n.Tag == "!!seq"):
		return kindList
	case n.Kind != yaml.ScalarNode:
		return kindUnknown
	case n.Style&^yaml.FlowStyle != 0:
		return kindText
	}
	return plainKind(n.Value)
}

func plainKind(text string) kind {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return kindNull
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return kindBool
	}
	switch {
	case coreInt.MatchString(text):
		return kindInt
	case coreFloat.MatchString(text) || coreOdd.MatchString(text):
		return kindFloat
	}
	return kindText
}

// taggedKind is the kind a scalar's tag claims, if the text fits it.
func taggedKind(n *yaml.Node) kind {
	plain := plainKind(n.Value)
	switch n.Tag {
	case "!!str":
		return kindText
	case "!!int", "!!bool", "!!null":
		if n.Tag == map[kind]string{kindInt: "!!int", kindBool: "!!bool", kindNull: "!!null"}[plain] {
			return plain
		}
	case "!!float":
		if plain == kindFloat || plain == kindInt {
			return kindFloat
		}
	}
	return kindUnknown
}

// isMergeKey reports whether key takes the keys of its value in.
func isMergeKey(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && key.Style == 0
}
