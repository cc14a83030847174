package config_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/wedge-lb/wedge/edge/config"
)

// roundTrip requires that what c writes is read as c again.
func roundTrip(t testing.TB, c *config.Config) string {
	t.Helper()
	text, err := c.YAML()
	require.NoError(t, err)
	again, err := config.Parse("again", text, sandbox())
	require.NoError(t, err, "%s", text)
	require.True(t, c.Equal(again), "%s", text)
	return string(text)
}

func TestYAMLLeavesDefaultsOut(t *testing.T) {
	assert.Equal(t, `version: 1
sites:
  - hosts: [shop.example.com]
    to: ["http://10.0.1.11:8080", "http://10.0.1.12:8080"]
`, roundTrip(t, parse(t, smallest)))
}

func TestYAMLOfAProgramsConfiguration(t *testing.T) {
	c := config.Default()
	c.Server.Listen = config.Listen{HTTP: "127.0.0.1:8080"}
	c.Logging.Access.Format = "off"
	c.Sites = []config.Site{{Hosts: []string{"*"}, To: []string{"http://127.0.0.1:9001"}}}
	assert.Equal(t, `version: 1
server:
  listen:
    http: "127.0.0.1:8080"
logging:
  access:
    format: off
sites:
  - hosts: ["*"]
    to: ["http://127.0.0.1:9001"]
`, roundTrip(t, c))
}

func TestWhatAProgramLeftZeroIsTheDefault(t *testing.T) {
	c := parse(t, smallest)
	c.Strategies = map[string]config.Strategy{"s": {Use: "builtin/stateless"}}
	c.Pools = map[string]config.Pool{"p": {
		Strategy: "s", Backends: []config.Backend{{URL: "http://a"}}, Retry: config.Retry{Budget: 0},
		Health: config.Health{Active: &config.Active{Path: "/up"}},
	}}
	text, err := c.YAML()
	require.NoError(t, err)
	again := parse(t, string(text))

	want := config.DefaultPool()
	want.Strategy, want.Backends = "s", []config.Backend{config.DefaultBackend("http://a")}
	want.Retry.Budget, want.Affinity.Cookie.HTTPOnly = 0, false // these may be zero
	want.Health.Passive.ConnectErrors, want.Health.Passive.MaxEjected = 0, 0
	want.Limits.Queue, want.Upstream.Queue, want.Retry.On, want.Retry.BodyBytes = 0, 0, nil, 0
	want.Health.Active = again.Pools["p"].Health.Active
	assert.Equal(t, want, again.Pools["p"])
	assert.Equal(t, 5*time.Second, want.Health.Active.Interval)
	assert.Equal(t, config.Size(16<<20), again.Strategies["s"].Limits.Memory)
}

func TestAnEdgeWithoutListenersIsNotWrittenAsTheDefault(t *testing.T) {
	c := parse(t, smallest)
	c.Server.Listen = config.Listen{}
	text, err := c.YAML()
	require.NoError(t, err)
	_, err = config.Parse("w", text, sandbox())
	assert.ErrorContains(t, err, "server.listen: want an address for http, https or both")
}

func TestTheExplicitFormIsAFileToo(t *testing.T) {
	roundTrip(t, parse(t, whole(t)).Expand())
}

// TestWithAnyKeyLeftOutTheRestIsWrittenAlike takes every key and item out of the whole
// file in turn; what is still a configuration must survive being written.
func TestWithAnyKeyLeftOutTheRestIsWrittenAlike(t *testing.T) {
	var root yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(whole(t)), &root))
	kept := 0
	eachWithout(root.Content[0], func() {
		text, err := yaml.Marshal(&root)
		require.NoError(t, err)
		if c, err := config.Parse("w", text, sandbox()); err == nil {
			kept++
			roundTrip(t, c)
		}
	})
	assert.Greater(t, kept, 80)
}

// eachWithout calls f with each part of n missing.
func eachWithout(n *yaml.Node, f func()) {
	step := map[yaml.Kind]int{yaml.MappingNode: 2, yaml.SequenceNode: 1}[n.Kind]
	for i := 0; step > 0 && i < len(n.Content); i += step {
		all := n.Content
		n.Content = append(append([]*yaml.Node{}, all[:i]...), all[i+step:]...)
		f()
		n.Content = all
		eachWithout(all[i+step-1], f)
	}
}

func TestTimesAreWrittenShortly(t *testing.T) {
	for text, want := range map[string]string{
		"90m": "1h30m", "36h": "36h", "5400s": "1h30m", "3661s": "1h1m1s", "120s": "2m", "1500ms": "1.5s",
	} {
		c := parse(t, smallest+"server: { drain_timeout: 24h, limits: { tunnel_timeout: "+text+" } }")
		assert.Contains(t, roundTrip(t, c), "tunnel_timeout: "+want+"\n")
	}
}

func TestLogsGoWhereTheFileSays(t *testing.T) {
	for text, want := range map[string]config.Output{
		"stderr": "stderr", "stdout": "stdout",
		"access.log": "/etc/wedge/access.log", "file:/var/../a.log": "/a.log",
	} {
		c := parse(t, smallest+"logging: { access: { output: '"+text+"' } }")
		assert.Equal(t, want, c.Logging.Access.Output)
		roundTrip(t, c)
	}
}

// TestEveryKeyIsWritten gives every key a value that is not its default.
func TestEveryKeyIsWritten(t *testing.T) {
	c := config.Default()
	unlike(t, reflect.ValueOf(c).Elem())
	text, err := c.YAML()
	require.NoError(t, err)
	var root yaml.Node
	require.NoError(t, yaml.Unmarshal(text, &root))
	written := map[string]bool{}
	collect(&root, written)
	for _, key := range keysOf(reflect.TypeFor[config.Config]()) {
		if key != "secret" && key != "secrets" && key != "token" {
			assert.Contains(t, written, key)
		}
	}
}

// unlike fills v with values that no default has.
func unlike(t *testing.T, v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *config.Secret:
		return
	case *time.Duration:
		*p += time.Second
	case *json.RawMessage:
		*p = json.RawMessage(`{"a":1}`)
	case *netip.Prefix:
		*p = netip.MustParsePrefix("10.0.0.0/8")
	case *config.Pool:
		*p = config.DefaultPool()
		unlikeKind(t, v)
	case *config.Backend:
		*p = config.DefaultBackend("")
		unlikeKind(t, v)
	default:
		unlikeKind(t, v)
	}
}

func unlikeKind(t *testing.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				unlike(t, v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		unlike(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		unlike(t, v.Index(0))
	case reflect.Map:
		e := reflect.New(v.Type().Elem()).Elem()
		unlike(t, e)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("name"), e)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString("other")
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	default:
		t.Fatal("a type the test does not know: ", v.Type())
	}
}

func collect(n *yaml.Node, keys map[string]bool) {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			keys[child.Value] = true
		}
		collect(child, keys)
	}
}

// keysOf returns the names of all keys below a section of type t.
func keysOf(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	var keys []string
	for i := 0; t.Kind() == reflect.Struct && i < t.NumField(); i++ {
		if tag, ok := t.Field(i).Tag.Lookup("yaml"); ok {
			name, _, _ := strings.Cut(tag, ",")
			keys = append(append(keys, name), keysOf(t.Field(i).Type)...)
		}
	}
	return keys
}

func TestOptionsThatAreNoJSONAreNotWritten(t *testing.T) {
	c := config.Default()
	c.Strategies = map[string]config.Strategy{"s": {Options: json.RawMessage("{")}}
	_, err := c.YAML()
	assert.EqualError(t, err, "config: strategies: s: options: not JSON")
}
