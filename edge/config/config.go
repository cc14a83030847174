package config

// Config is one configuration file. It holds no runtime state and is not
// changed after it was parsed, so it may be shared.
type Config struct {
	Version    int                 `yaml:"version,required" min:"1" max:"1"` // of this format
	Server     Server              `yaml:"server"`
	StateDir   Dir                 `yaml:"state_dir" default:"/var/lib/wedge"` // certificates, keys, caches
	Admin      Admin               `yaml:"admin"`
	TLS        TLS                 `yaml:"tls"`
	Logging    Logging             `yaml:"logging"`
	GeoIP      GeoIP               `yaml:"geoip"`
	Plugins    map[string]Plugin   `yaml:"plugins"`
	Strategies map[string]Strategy `yaml:"strategies"`
	Pools      map[string]Pool     `yaml:"pools"`
	Sites      []Site              `yaml:"sites,required"`

	source *source // where each key was; nil if the config was not parsed
}

// Default returns a configuration without sites, with the default of every key.
func Default() *Config {
	c := defaults[Config]()
	c.Version = 1
	return &c
}

// defaults returns a T with the default of every key; lists, maps and optional
// sections are absent.
func defaults[T any]() T {
	var t T
	setDefaults(&t)
	return t
}
