package sdk

// A Balancer chooses a backend for a request without a key. Pick never chooses a backend that
// is not usable or that was tried already, and returns -1 if there is no other.
type Balancer interface {
	// Update takes in a table; call it in Strategy.Backends.
	Update(b Backends)
	// Pick is the index of the chosen backend, or -1. It does not allocate.
	Pick(r *Request) int
}

// BalancerNames lists what NewBalancer knows.
func BalancerNames() []string {
	return []string{"round_robin", "random", "p2c", "least_load", "least_latency", "least_utilization"}
}

// NewBalancer makes a Balancer by its name, the value of an option.
func NewBalancer(option, name string) (Balancer, error) {
	switch name {
	case "round_robin":
		return &RoundRobin{}, nil
	case "random":
		return &Random{}, nil
	case "p2c":
		return &P2C{}, nil
	case "least_load":
		return &LeastLoad{}, nil
	case "least_latency":
		return &LeastLatency{}, nil
	case "least_utilization":
		return &LeastUtilization{}, nil
	}
	return nil, OneOf(option, name, BalancerNames()...)
}

// A Placer maps a key to a backend, the same on every edge that has the same table. If the
// backend of a key is not usable or was tried already, that key alone goes elsewhere, to a
// pseudo-random next choice; it comes back with its backend.
type Placer interface {
	// Update takes in a table; call it in Strategy.Backends. It costs little if only states changed.
	Update(b Backends)
	// Pick is the index of the backend for the key, or -1 if none is left. It does not allocate.
	// Keys must be well spread hashes, such as Request.Hash gives. A nil r excludes nothing.
	Pick(r *Request, key uint64) int
}

// PlacerNames lists what NewPlacer knows.
func PlacerNames() []string { return []string{"maglev", "ring", "rendezvous"} }

// NewPlacer makes a Placer by its name, the value of an option.
func NewPlacer(option, name string) (Placer, error) {
	switch name {
	case "maglev":
		return &Maglev{}, nil
	case "ring":
		return &Ring{}, nil
	case "rendezvous":
		return &Rendezvous{}, nil
	}
	return nil, OneOf(option, name, PlacerNames()...)
}

// excludes is r.Excludes for an r that may be nil.
func excludes(r *Request, backend int) bool { return r != nil && r.Excludes(backend) }
