// Package sdktest runs a strategy natively, under plain go test, in place of the edge.
//
// A Host encodes options, tables and requests into the same frames as the edge does, hands them
// to the strategy as a module would get them, and answers its calls: requests in flight,
// latencies, clock, random numbers, counters and store are what the test sets.
//
//	h := sdktest.NewHost(&tenant{})
//	require.NoError(t, h.Configure(`{"algorithm": "maglev"}`))
//	require.NoError(t, h.SetBackends(sdktest.Backend{ID: "a"}, sdktest.Backend{ID: "b"}))
//	d := h.Pick(sdktest.Request{Headers: map[string]string{"x-tenant-id": "acme"}})
//	require.Equal(t, "a", d.Backend)
//
// Conform holds a strategy to what every strategy has to do (nothing unavailable or excluded is chosen, pins are
// honoured or ignored, any table and any length of attributes is taken, equal beginnings decide alike) and to what
// its Traits promise (shares, stickiness, least movement). It takes any Subject: a *Host here, and by package
// plugintest of the edge a module in any language. What fails is shown by its smallest counter-example.
//
// Like the edge, a Host gives a strategy only the attributes it declared, and reports a choice
// that the edge would refuse as a bad pick.
package sdktest
