package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

const minSecret = 16 // bytes: HMAC keys and tokens are not to be guessed

// Secret is a value that the file refers to by ${file:PATH} or ${env:NAME}. It prints
// as that reference, in every format. The zero Secret is not given. Secrets may be
// compared by ==.
type Secret struct {
	reference string
	value     string
}

// IsZero reports whether no secret was given.
func (s Secret) IsZero() bool { return s.reference == "" }

// Value returns a copy of the secret itself.
func (s Secret) Value() []byte { return []byte(s.value) }

// String returns the reference.
func (s Secret) String() string { return s.reference }

// Format prints the reference whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.reference) }

// MarshalText returns the reference.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.reference), nil }

// secret decodes a reference and reads what it refers to. Messages never hold what
// stands in the file, which may be the secret itself.
func (d *decoder) secret(n *yaml.Node, t *trail, s *Secret) {
	if kindOf(n) != kindText {
		d.fault(t, n, "want ${file:PATH} or ${env:NAME}")
		return
	}
	next, err := d.opt.secret(n.Value)
	if err == nil && len(next.value) < minSecret {
		err = fmt.Errorf("the secret is shorter than %d bytes; openssl rand -hex 32 makes one", minSecret)
	}
	if err != nil {
		d.fault(t, n, "%s", err)
		return
	}
	*s = next
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (o Options) secret(text string) (Secret, error) {
	if !reference.MatchString(text) {
		return Secret{}, errors.New("a secret is not written here; want ${file:PATH} or ${env:NAME}")
	}
	scheme, name, _ := strings.Cut(text[len("${"):len(text)-len("}")], ":")
	if scheme == "env" {
		return o.secretEnv(name)
	}
	path, err := o.resolve(name)
	if err != nil {
		return Secret{}, err
	}
	data, err := o.ReadFile(path)
	if err != nil {
		return Secret{}, fmt.Errorf("secret %s: %w", path, cause(err))
	}
	return Secret{"${file:" + path + "}", trimLine(string(data))}, nil
}

func (o Options) secretEnv(name string) (Secret, error) {
	if !envName.MatchString(name) {
		return Secret{}, errors.New("want the name of a variable in ${env:NAME}")
	}
	value, ok := o.LookupEnv(name)
	if !ok {
		return Secret{}, fmt.Errorf("the environment has no variable %s", name)
	}
	return Secret{"${env:" + name + "}", value}, nil
}

// cause drops the step and the name that a file's error carries.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// trimLine drops the line break that editors put at the end.
func trimLine(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r") }
