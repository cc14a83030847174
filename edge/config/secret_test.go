package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/config"
)

func TestASecretIsPrintedNowhere(t *testing.T) {
	c := parse(t, affinityFile("secrets: ['${env:AFFINITY}', '${file:keys/k}']"))
	a := c.Pools["p"].Affinity
	require.Equal(t, hidden, string(a.Secrets[0].Value()))
	require.Equal(t, hidden, string(a.Secrets[1].Value()))

	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&printed, verb, c)
		fmt.Fprintf(&printed, verb, a)
		fmt.Fprintf(&printed, verb, a.Secrets[0])
	}
	asJSON, err := json.Marshal(c)
	require.NoError(t, err)
	asYAML, err := c.YAML()
	require.NoError(t, err)
	printed.Write(asJSON)
	printed.Write(asYAML)
	slog.New(slog.NewTextHandler(&printed, nil)).Info("x", "a", a, "s", a.Secrets[0])
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("x", "a", a, "s", a.Secrets[0])

	assert.Equal(t, "${env:AFFINITY}", a.Secrets[0].String())
	assert.NotContains(t, printed.String(), hidden)
	assert.NotContains(t, printed.String(), fmt.Sprintf("%x", hidden))
	assert.Contains(t, string(asYAML), "${env:AFFINITY}")
	assert.Contains(t, string(asYAML), "${file:/etc/wedge/keys/k}")
}

// affinityFile is a pool with one affinity section.
func affinityFile(section string) string {
	return smallest + "pools: { p: { backends: [{ url: 'http://a' }], affinity: { " + section + " } } }\n"
}

func backendFile(url string) string {
	return smallest + "pools: { p: { backends: [{ url: '" + url + "' }] } }"
}

func TestASecretIsRefusedForACause(t *testing.T) {
	o := sandbox()
	o.LookupEnv = func(name string) (string, bool) { return "short", name == "SHORT" }
	for section, want := range map[string]string{
		"secret: 7":              "want ${file:PATH} or ${env:NAME}",
		"secret: [a]":            "want ${file:PATH} or ${env:NAME}",
		"secret: plain":          "a secret is not written here; want ${file:PATH} or ${env:NAME}",
		"secret: '${vault:x}'":   "a secret is not written here; want ${file:PATH} or ${env:NAME}",
		"secret: 'x${env:A}'":    "a secret is not written here; want ${file:PATH} or ${env:NAME}",
		"secret: '${env:A B}'":   "want the name of a variable in ${env:NAME}",
		"secret: '${env:NONE}'":  "the environment has no variable NONE",
		"secret: '${env:SHORT}'": "the secret is shorter than 16 bytes; openssl rand -hex 32 makes one",
		"secret: '${file:none}'": "secret /etc/wedge/none: no such file",
	} {
		_, err := config.Parse("w", []byte(affinityFile(section)), o)
		assert.Equal(t, []string{"w:4:68: pools.p.affinity.secret: " + want}, summaries(t, err), section)
	}
}

func TestASecretWrittenOutIsNotEchoed(t *testing.T) {
	const plain = "hunter2-hunter2"
	for name, text := range map[string]string{
		"as a value":               affinityFile("secret: " + plain + ", idle: 1"),
		"in quotes":                affinityFile(`secret: "` + plain + `, ` + plain + `", idle: 1`),
		"in a list":                affinityFile("secrets: ['" + plain + "', " + plain + "], idle: 1"),
		"under a misspelt key":     affinityFile("secert: " + plain + ", idle: 1"),
		"under an unknown key":     affinityFile("password: " + plain + ", idle: 1"),
		"in a section":             affinityFile("secret: { value: " + plain + " }, idle: 1"),
		"behind an alias":          "x-a: &s " + plain + "\n" + affinityFile("secret: *s, idle: 1"),
		"in a block":               smallest + "admin:\n  token: |\n    " + plain + "\n    x\n  listen: x\n",
		"in JSON":                  `{"version":1,"admin":{"token":"` + plain + `","listen":3}}`,
		"in a URL":                 backendFile("http://me:" + plain + "@host"),
		"in a URL of odd form":     backendFile("http://me:" + plain + "%zz@host"),
		"in a broken file":         affinityFile("secret: " + plain + ", idle: ]"),
		"in a broken list":         smallest + "admin:\n  secrets:\n    - " + plain + " ]: [\n",
		"in the URL of an issuer":  smallest + "tls: { ca: 'https://me:" + plain + "@ca/dir' }",
		"in a name of a reference": affinityFile("secret: '$" + plain + "'"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("w", []byte(text), sandbox())
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestWhatIsNoSecretIsShown(t *testing.T) {
	_, err := config.Parse("w", []byte("version: 1\nserver: { listen: 1 }\nsites: 0"), sandbox())
	assert.ErrorContains(t, err, "server: { listen: 1 }")
}
