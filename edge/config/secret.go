package config

// Secret is a value that the file refers to by ${file:PATH} or ${env:NAME}. It
// prints as that reference. The zero Secret is not given.
type Secret struct {
	reference string
	value     string
}

// IsZero reports whether no secret was given.
func (s Secret) IsZero() bool { return s.reference == "" }

// Value returns the secret itself.
func (s Secret) Value() []byte { return []byte(s.value) }

// String returns the reference.
func (s Secret) String() string { return s.reference }
