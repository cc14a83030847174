package sdk

// Mix spreads the bits of x over all of the result, one to one. It is the finalizer of
// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
func Mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Sum64 is FNV-1a (Fowler, Noll, Vo) of b, mixed. It is the same in every build, and anyone can
// compute it: for what a client chooses, prefer Attribute.Hashed.
func Sum64(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return Mix(h)
}

// rehash is the n-th hash of the key h: its pseudo-random next choices. rehash(h, 0) is h.
func rehash(h uint64, n int) uint64 {
	if n == 0 {
		return h
	}
	return Mix(h + uint64(n)*0x9e3779b97f4a7c15)
}

// Rand is SplitMix64, a small generator for choices. The zero value is ready to use; seed it
// with Host.Random so that instances differ and a replay can repeat them.
type Rand struct {
	state uint64
}

// NewRand is a generator that starts from seed.
func NewRand(seed uint64) Rand { return Rand{seed} }

// Uint64 is 64 pseudo-random bits.
func (r *Rand) Uint64() uint64 {
	r.state += 0x9e3779b97f4a7c15
	return Mix(r.state)
}

// IntN is a pseudo-random number from 0 to n-1; n must be positive and fit 32 bits.
func (r *Rand) IntN(n int) int { return scale(r.Uint64(), n) }

// scale maps the upper half of x to 0..n-1 (Lemire: Fast Random Integer Generation, 2019).
func scale(x uint64, n int) int { return int(x >> 32 * uint64(n) >> 32) }
