package config

import "encoding/json"

// Plugin is a strategy's code.
type Plugin struct {
	Source File `yaml:"source,required"` // the .wasm file
}

// Strategy is a plugin with options, the unit of hot swap.
type Strategy struct {
	Use string `yaml:"use,required"` // builtin/NAME or a name in plugins

	// Options is a JSON object in canonical form: keys sorted, no spaces, whole
	// numbers as they were written.
	Options json.RawMessage `yaml:"options" default:"{}"`
	Limits  StrategyLimits  `yaml:"limits"`
	Grants  []string        `yaml:"grants"` // header:NAME or cookie:NAME, to be read raw
}

// StrategyLimits bound one instance of a strategy.
type StrategyLimits struct {
	Memory Size `yaml:"memory" default:"16MiB" min:"64KiB" max:"4GiB"`
}
