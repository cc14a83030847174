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
// Like the edge, a Host gives a strategy only the attributes it declared, and reports a choice
// that the edge would refuse as a bad pick.
package sdktest
