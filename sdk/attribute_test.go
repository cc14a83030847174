package sdk_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

func TestParseAttribute(t *testing.T) {
	for text, want := range map[string]sdk.Attribute{
		"client_ip": sdk.ClientIP(), "method": sdk.Method(), "scheme": sdk.Scheme(), "sni": sdk.SNI(),
		"authority": sdk.Authority(), "path": sdk.Path(), "query": sdk.Query(), "protocol": sdk.Protocol(),
		"country": sdk.Country(), "route": sdk.RouteName(), "header:X-Tenant-ID": sdk.Header("x-tenant-id"),
		"cookie:SID": sdk.Cookie("SID"), "query:q": sdk.QueryParam("q"), "query_param:q": sdk.QueryParam("q"),
		"cookie:a:b": sdk.Cookie("a:b"),
	} {
		got, err := sdk.ParseAttribute(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
}

func TestAnAttributeThatIsNone(t *testing.T) {
	for text, want := range map[string]string{
		"": "want client_ip, method", "ip": "want client_ip, method", "header": "want client_ip, method",
		"header:": "want a name of 1 to 256 visible characters", "cookie:a b": "visible characters",
		"header:" + strings.Repeat("x", 257): "visible characters",
		"path:x":                             "want header:NAME, cookie:NAME or query:NAME",
	} {
		_, err := sdk.ParseAttribute(text)
		assert.ErrorContains(t, err, want, text)
	}
}

func TestNeedTakesOnePlaceForTheSame(t *testing.T) {
	h := sdktest.NewHost(&probe{configure: func(c *sdk.Config) error {
		assert.Equal(t, c.Need(sdk.Path()), c.Need(sdk.Path()))
		assert.NotEqual(t, c.Need(sdk.Path()), c.Need(sdk.Path().Hashed()))
		return nil
	}})
	require.NoError(t, h.Configure(""))
	assert.Equal(t, []string{"path", "path#"}, h.Needs())
}

func TestARefusedNeedRefusesTheConfiguration(t *testing.T) {
	h := sdktest.NewHost(&probe{configure: func(c *sdk.Config) error {
		c.Need(sdk.Path())
		c.Need(sdk.Header("Authorization"))
		c.Need(sdk.Cookie("sid"))
		return nil
	}})
	h.Refuse = []string{"header:authorization", "cookie:sid"}
	assert.EqualError(t, h.Configure(""),
		"configure: attribute header:authorization: refused by the host (is it granted?)")
}

func TestMoreAttributesThanThereIsPlaceFor(t *testing.T) {
	h := sdktest.NewHost(&probe{configure: func(c *sdk.Config) error {
		for i := range abi.MaxSlots + 1 {
			c.Need(sdk.Header("h" + strings.Repeat("x", i)))
		}
		return nil
	}})
	assert.ErrorContains(t, h.Configure(""), "refused by the host")
}
