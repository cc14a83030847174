package config

// source is the text a configuration was read from, and where its parts are.
type source struct {
	name string
}
