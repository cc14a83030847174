// Package plugins holds the built-in strategies as modules.
//
// Each is a folder beside this file, written with package sdk only, and like any other plugin
// runs in the sandbox. They are built into dist, which this package embeds; see README.md.
package plugins
