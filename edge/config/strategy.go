package config

import "encoding/json"

// Plugin is a strategy's code.
type Plugin struct {
	Source File   `yaml:"source,required"` // the .wasm file
	SHA256 string `yaml:"sha256"`          // of the file, in hex
	Verify Verify `yaml:"verify"`
}

// Verify says who must have signed a plugin.
type Verify struct {
	PublicKey File `yaml:"public_key,required"` // Ed25519, PEM or base64
	Signature File `yaml:"signature"`           // default: Source with .sig behind it
}

// Strategy is a plugin with options, the unit of hot swap.
type Strategy struct {
	Use string `yaml:"use,required"` // builtin/NAME or a name in plugins

	// Options is a JSON object in canonical form: keys sorted, no spaces, whole
	// numbers as they were written.
	Options json.RawMessage `yaml:"options" default:"{}"`
	Limits  StrategyLimits  `yaml:"limits"`
	Grants  []string        `yaml:"grants"`   // header:NAME or cookie:NAME, to be read raw
	OnFault string          `yaml:"on_fault"` // who decides while this one cannot; default: Fallback
}

// StrategyLimits bound one instance of a strategy.
type StrategyLimits struct {
	Memory Size `yaml:"memory" default:"16MiB" min:"64KiB" max:"4GiB"`
	Fuel   int  `yaml:"fuel" default:"200000" min:"1000" max:"1000000000"` // units of work of a pick; sdk/ABI.md
}

// Reliefs are the strategies that decide, in this order, while the named one cannot, before the edge itself does.
func (c *Config) Reliefs(name string) []string {
	var list []string
	for next := c.Strategies[name].OnFault; next != "" && next != Fallback && len(list) < len(c.Strategies); {
		list = append(list, next)
		next = c.Strategies[next].OnFault
	}
	return list
}
