package route_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/route"
)

// newTable makes a table whose targets are the names of the routes.
func newTable(t testing.TB, sites ...route.Site[string]) *route.Table[string] {
	t.Helper()
	table, err := route.New(sites)
	require.NoError(t, err)
	return table
}

func site(name string, hosts []string, routes ...route.Route[string]) route.Site[string] {
	for i := range routes {
		routes[i].Target = routes[i].Path
	}
	return route.Site[string]{Name: name, Hosts: hosts, Routes: routes}
}
