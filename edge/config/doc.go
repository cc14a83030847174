// Package config reads the edge's configuration: YAML, or JSON of the same
// shape, into plain structs.
//
// Reading is strict. Unknown and duplicate keys, wrong types, values out of
// range and references to nothing are all reported, all at once, each with its
// file, line and column, the source line, and a suggestion where one is near:
//
//	wedge.yaml:14:5: pools.shop.helth: unknown key; did you mean "health"?
//	   14 |     helth:
//	      |     ^
//
// Scalars follow the core schema of YAML 1.2 (yes and no are text). Anchors,
// aliases and merge keys work, within a bound; keys that start with x- are
// ignored. A secret is given only as ${file:PATH} or ${env:NAME}; its value is
// printed nowhere. Relative file names are relative to the configuration file.
//
// The tags of a struct say everything about its keys: yaml the name, default
// the value of an absent key, min and max the range, enum the allowed words.
// The decoder, the encoder and the reference page are driven by them.
//
// Load and Parse return what was written, over the defaults. Expand returns the
// explicit form, in which every backend has an id, every route names its pool
// and every pool its strategy: that is the form to build an edge from. Fault
// reports something found wrong later, such as options that a plugin refuses,
// at its place in the file.
package config
