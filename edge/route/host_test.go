package route_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wedge-lb/wedge/edge/route"
)

func TestTheClosestHostServes(t *testing.T) {
	table := newTable(t,
		site("any", []string{"*"}),
		site("wild", []string{"*.example.com", "*.b.example.com"}),
		site("exact", []string{"shop.example.com", "Example.COM", "a.b.example.com"}),
		site("address", []string{"192.0.2.1", "2001:db8::1", "[::1]"}),
	)
	for host, want := range map[string]string{
		"shop.example.com":       "exact",
		"SHOP.Example.com":       "exact",
		"shop.example.com:8443":  "exact",
		"shop.example.com:":      "exact",
		"shop.example.com.":      "exact",
		"shop.example.com.:8443": "exact",
		"example.com":            "exact",
		"www.example.com":        "wild",
		"WWW.EXAMPLE.COM.:1":     "wild",
		"x.b.example.com":        "wild",
		"a.b.example.com":        "exact",
		"a.www.example.com":      "any", // a wildcard is one label
		".example.com":           "any", // and not an empty one
		"other.test":             "any",
		"localhost":              "any",
		"a_b.test":               "any",
		"":                       "any", // HTTP/1.0 without Host
		"192.0.2.1:80":           "address",
		"[2001:db8::1]":          "address",
		"[2001:DB8::1]:443":      "address",
		"[::1]":                  "address",
		"[::2]":                  "any",
		// Not names at all: no site, not even *.
		"shop.example.com:http":  "",
		"shop.example.com:80:80": "",
		"shop.example.com/":      "",
		"user@shop.example.com":  "",
		"shop.example.com\x00":   "",
		"shop example.com":       "",
		"ex\xe4mple.com":         "",
		"[::1":                   "",
		"[]":                     "",
		"[::1]x":                 "",
		"[::1]:x":                "",
		"[::1%25eth0]":           "",
		"::1":                    "",
		"*.example.com":          "",
		strings.Repeat("a", 256): "",
	} {
		t.Run(host, func(t *testing.T) {
			got := table.Site([]byte(host))
			if want == "" {
				assert.Nil(t, got)
				assert.Equal(t, route.NoSite, table.Match([]byte(host), []byte("/"), []byte("GET")).Outcome)
				return
			}
			if assert.NotNil(t, got) {
				assert.Equal(t, want, got.Name)
			}
		})
	}
}

func TestAnUnknownHostHasNoSite(t *testing.T) {
	table := newTable(t, site("shop", []string{"shop.example.com"}))
	for _, host := range []string{"", "example.com", "xshop.example.com", "shop.example.comx", "com"} {
		assert.Nil(t, table.Site([]byte(host)), host)
	}
}

func TestAHostThatIsNoPatternIsRefusedWithItsPlace(t *testing.T) {
	for host, want := range map[string]string{
		"":                       "not a host name",
		".":                      "not a host name",
		".example.com":           "not a host name",
		"example..com":           "not a host name",
		"exa mple.com":           "not a host name",
		"*.":                     "not a host name",
		"*example.com":           "a * stands alone or for the whole first label",
		"a.*.com":                "a * stands alone or for the whole first label",
		"*.*.com":                "a * stands alone or for the whole first label",
		"example.com:443":        "without scheme, port or path",
		"https://example.com":    "without scheme, port or path",
		"example.com/app":        "without scheme, port or path",
		"bücher.example":         "xn--NAME",
		strings.Repeat("a", 300): "not a host name",
	} {
		t.Run(host, func(t *testing.T) {
			_, err := route.New([]route.Site[string]{site("shop", []string{host})})
			assert.ErrorContains(t, err, "site shop: host ")
			assert.ErrorContains(t, err, want)
		})
	}
}

func TestTwoSitesCannotClaimOneHost(t *testing.T) {
	_, err := route.New([]route.Site[string]{
		site("a", []string{"shop.example.com", "*", "*.x.test", "::1"}),
		site("b", []string{"SHOP.example.com.", "*", "*.X.test", "[0:0::1]"}),
		site("c", []string{"fine.test"}),
	})
	assert.ErrorContains(t, err, `site b: host "SHOP.example.com.": site a serves it already`)
	assert.ErrorContains(t, err, `site b: host "*": site a serves it already`)
	assert.ErrorContains(t, err, `site b: host "*.X.test": site a serves it already`)
	assert.ErrorContains(t, err, `site b: host "[0:0::1]": site a serves it already`)
	assert.NotContains(t, err.Error(), "fine.test")
}
