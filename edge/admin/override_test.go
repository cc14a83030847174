package admin_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/admin"
)

const patched = "/v1/pools/shop/backends/10.0.1.11:8080"

func TestAChangeThatCannotBeIsRefusedByPlace(t *testing.T) {
	f := &fake{state: "ready"}
	h := handler(t, f, admin.Options{})
	for name, tt := range map[string]struct{ body, place, message string }{
		"a state that is none":     {`{"state":"asleep"}`, "state", "ready, drain, maintenance or configured"},
		"nothing":                  {`{}`, "state", `{"state": "drain"}`},
		"a ttl that is none":       {`{"state":"drain","ttl":"soon"}`, "ttl", "1s to 8760h"},
		"a ttl without unit":       {`{"state":"drain","ttl":"60"}`, "ttl", "as in 1h30m"},
		"a ttl too short":          {`{"state":"drain","ttl":"999ms"}`, "ttl", "1s to 8760h"},
		"a ttl below zero":         {`{"state":"drain","ttl":"-1h"}`, "ttl", "1s to 8760h"},
		"a ttl too long":           {`{"state":"drain","ttl":"8761h"}`, "ttl", "1s to 8760h"},
		"a ttl that overflows":     {`{"state":"drain","ttl":"99999999999999h"}`, "ttl", "1s to 8760h"},
		"a deadline too long":      {`{"state":"drain","deadline":"25h"}`, "deadline", "0s to 24h"},
		"a deadline below zero":    {`{"state":"drain","deadline":"-1s"}`, "deadline", "0s to 24h"},
		"a deadline of ready":      {`{"state":"ready","deadline":"1s"}`, "deadline", "drain or maintenance"},
		"a deadline after the end": {`{"state":"drain","ttl":"1m","deadline":"2m"}`, "deadline", "not before the end"},
		"a weight too large":       {`{"weight":1001}`, "weight", "1 to 1000"},
		"a ttl of configured":      {`{"state":"configured","ttl":"1h"}`, "ttl", "leave it out"},
		"a weight of configured":   {`{"state":"configured","weight":3}`, "weight", "leave it out"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ask(h, "PATCH", patched, tt.body, "Content-Type", "application/json")
			assert.Equal(t, 400, w.Code)
			p := assertProblem(t, w)
			require.Len(t, p.Faults, 1)
			assert.Equal(t, tt.place, p.Faults[0].Place)
			assert.Contains(t, p.Faults[0].Message, tt.message)
			assert.Contains(t, p.Help, "nothing has changed")
		})
	}
	w := ask(h, "PATCH", patched, `{"state":"x","ttl":"x","weight":2000}`, "Content-Type", "application/json")
	assert.Len(t, assertProblem(t, w).Faults, 3, "all at once")
	assert.Empty(t, f.changes)
}

func TestABodyThatCannotBeReadIsRefusedInOurWords(t *testing.T) {
	f := &fake{state: "ready"}
	h := handler(t, f, admin.Options{})
	long := strings.Repeat("x", 1000)
	for body, want := range map[string]string{
		`{"weight":-1}`:                     "weight: -1: want a whole number, 1 to 1000, or 0 for the configured weight",
		`{"weight":"3"}`:                    `weight: "3": want a whole number, 1 to 1000, or 0 for the configured weight`,
		`{"weight":1.5}`:                    "weight: 1.5: want a whole number",
		`{"weight":4294967296}`:             "weight: 4294967296: want a whole number",
		`{"ttl":60}`:                        `ttl: 60: want text such as "1h30m"`,
		`{"state":["drain"]}`:               `state: ["drain"]: want text such as "drain"`,
		`{"state":null}`:                    `state: null: want text such as "drain", or leave it out`,
		`{"state":"drain","state":"ready"}`: "state: it is there twice",
		`{"State":"drain"}`:                 `State: unknown; did you mean "state"?`,
		`{"state":"drain","STATE":"x"}`:     `STATE: unknown; did you mean "state"?`,
		`{"states":"drain"}`:                "states: unknown; there are state, weight, ttl, deadline",
		`{"":1}`:                            "unknown; there are state, weight, ttl, deadline",
		`{"weight":-1,"ttl":60}`:            "ttl: 60: want text",
		`{"weight":"` + long + `"}`:         "weight: \"" + long[:63] + "…: want a whole number",
		`{"` + long + `":1}`:                long[:64] + "…: unknown",
		"":                                  "body: it is empty\nwant a JSON object such as {\"state\": \"drain\"}",
		" \n":                               "body: it is empty\nwant a JSON object",
		"[]":                                "body: it is no object\nwant a JSON object such as",
		"null":                              "body: it is no object",
		`{"state":`:                         "body: not JSON at byte 9: ",
		`{"state":"drain"} x`:               "body: not JSON at byte 19: ",
	} {
		w := ask(h, "PATCH", patched, body, "Content-Type", "application/json")
		assert.Equal(t, 400, w.Code, body)
		p := assertProblem(t, w)
		assert.Contains(t, p.Error(), want, body)
		for _, inside := range []string{"Go ", "json:", "wireChange", "uint32", "EOF"} {
			assert.NotContains(t, p.Error(), inside, body)
		}
	}
	assert.Empty(t, f.changes)
	w := ask(h, "POST", "/v1/strategies/spread/swap", `{"use":1,"module":"%"}`, "Content-Type", "application/json")
	p := assertProblem(t, w)
	assert.Contains(t, p.Error(), `use: 1: want text such as "builtin/stateless"`)
	assert.Contains(t, p.Error(), `module: "%": want text, in base64`)
	w = ask(h, "POST", "/v1/strategies/spread/swap", "", "Content-Type", "application/json")
	assert.Contains(t, assertProblem(t, w).Help, `such as {"use": "builtin/stateless"}`)
	assert.Empty(t, f.swapped)
}

func TestAChangeReachesTheEdge(t *testing.T) {
	f := &fake{state: "ready"}
	r := serve(t, f, admin.Options{})
	weight, deadline, none := uint32(0), 30*time.Second, time.Duration(0)
	want := []admin.Change{
		{State: admin.StateDrain, TTL: time.Hour, Deadline: &deadline},
		{State: admin.StateDrain, Deadline: &none},
		{Weight: &weight},
		{TTL: 8760 * time.Hour},
		{State: admin.StateReady},
	}
	for _, c := range want {
		_, err := r.Override(t.Context(), "shop", "10.0.1.11:8080", c)
		require.NoError(t, err)
	}
	assert.Equal(t, want, f.changes)
}

func TestOverridesAreListed(t *testing.T) {
	f := &fake{}
	r := serve(t, f, admin.Options{})
	list, err := r.Overrides(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []admin.Override{}, list)
	since := time.Unix(1, 0).UTC()
	f.kept = []admin.Override{{Pool: "shop", Backend: "left", State: "drain", Since: since, Until: since.Add(time.Hour)}}
	list, err = r.Overrides(t.Context())
	require.NoError(t, err)
	assert.Equal(t, f.kept, list)
	w := ask(handler(t, f, admin.Options{}), "GET", "/v1/overrides", "")
	var raw []map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &raw))
	assert.NotContains(t, raw[0], "deadline", "there is none")
	assert.NotContains(t, raw[0], "weight")
}

func TestAnOverrideOfAnAbsentBackendCanOnlyBeTakenBack(t *testing.T) {
	f := &fake{kept: []admin.Override{{Pool: "shop", Backend: "left"}, {Pool: "gone", Backend: "x"}}}
	r := serve(t, f, admin.Options{})
	for pool, id := range map[string]string{"shop": "left", "gone": "x"} {
		_, err := r.SetState(t.Context(), pool, id, admin.StateDrain)
		problem(t, err, 404)
		b, err := r.SetState(t.Context(), pool, id, admin.StateConfigured)
		require.NoError(t, err)
		assert.Equal(t, admin.Backend{ID: id, State: admin.StateAbsent}, b)
	}
	_, err := r.SetState(t.Context(), "shop", "stranger", admin.StateConfigured)
	problem(t, err, 404)
	assert.Len(t, f.changes, 2)
}

// FuzzPatch: whatever is sent, the edge hears only of what can be.
func FuzzPatch(f *testing.F) {
	fake := &fake{}
	h := handler(f, fake, admin.Options{})
	for _, s := range []string{`{"state":"drain","ttl":"1h","deadline":"30s","weight":3}`, `{"weight":0}`, `{"ttl":"1h"}`,
		`{"State":"x","state":null}`, `{"ttl":"1h","ttl":"2h"}`, "\xff", "[{}", `{"weight":1e400}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		fake.changes = nil
		ask(h, "PATCH", patched, body, "Content-Type", "application/json")
		for _, c := range fake.changes {
			require.True(t, c.TTL == 0 || c.TTL >= time.Second && c.TTL <= 8760*time.Hour)
			require.True(t, c.Deadline == nil || *c.Deadline >= 0 && *c.Deadline <= 24*time.Hour)
			require.True(t, c.Weight == nil || *c.Weight <= 1000)
		}
	})
}
