package sdk

// A Strategy chooses backends. Its methods are never called at the same time.
type Strategy interface {
	// Configure reads the options and declares attributes. It is called once, first.
	Configure(c *Config) error
	// Backends takes in a table. It is called before the first Pick and after each change.
	// An error leaves the strategy with the fallback of the host. b is valid until it returns.
	Backends(b Backends) error
	// Pick decides on one request. r is valid until it returns.
	Pick(r *Request) Decision
}

// An Observer is a Strategy that also learns how requests ended. Register it with
// package sdk/observe instead of this package's Register: only then does the module
// export what makes the host report outcomes.
type Observer interface {
	Strategy
	// Observe is told the outcome of a request, soon after it ended.
	Observe(o Outcome)
}
