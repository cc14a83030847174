package sdktest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// dice are the same at every run, so that a failure repeats.
func dice(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)) }

// anyClient is the default of Traits.Client.
func anyClient(n int) Request {
	return Request{
		ClientIP: netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}), Method: "GET", Scheme: "https",
		Authority: "shop.example.com", Path: fmt.Sprintf("/item/%d", n), Protocol: []string{"h1", "h2", "h3"}[n%3],
		Country: []string{"NZ", "PT", ""}[n%3], Route: "main",
	}
}

// pool is n ready backends of weight 1 in two zones.
func pool(n int) []Backend {
	list := make([]Backend, n)
	for i := range list {
		list[i] = Backend{
			ID: fmt.Sprintf("b%04d", i), Address: fmt.Sprintf("10.0.%d.%d:80", i>>8, i&255),
			Zone: string(rune('a' + i%2)), Labels: map[string]string{"n": fmt.Sprint(i)},
		}
	}
	return list
}

// mixed is pool with weights and states by chance.
func mixed(n int, d *rand.Rand) []Backend {
	list := pool(n)
	for i := range list {
		list[i].Weight = 1 + d.Uint32N(4)
		list[i].State = sdk.State(max(0, d.IntN(7)-3)) // most are ready
	}
	return list
}

// with is the table with one backend changed.
func with(table []Backend, row int, edit func(*Backend)) []Backend {
	table = slices.Clone(table)
	edit(&table[row])
	return table
}

func down(b *Backend) { b.State = abi.StateDown }

// clients are the requests of clients 0 to n-1.
func (t Traits) clients(n int) []Request {
	list := make([]Request, n)
	for i := range list {
		list[i] = t.Client(i)
	}
	return list
}

// pinned ties each request to a backend by chance, one in four to none.
func pinned(list []Request, table []Backend, d *rand.Rand) []Request {
	for i := range list {
		if d.IntN(4) > 0 && len(table) > 0 {
			list[i].Pinned = table[d.IntN(len(table))].ID
		}
	}
	return list
}

// tried excludes some backends from each request, sometimes all.
func tried(list []Request, table []Backend, d *rand.Rand) []Request {
	for i := range list {
		n := min(d.IntN(len(table)+1), 16)
		for _, row := range d.Perm(len(table))[:n] {
			list[i].Excluded = append(list[i].Excluded, table[row].ID)
		}
		list[i].Attempt = n
	}
	return list
}

// inflated has every value of a request at a length; names, numbers and addresses stay.
func inflated(r Request, size int) Request {
	long := func(s string) string {
		if size == 0 || s == "" {
			return s[:min(len(s), size)]
		}
		text := make([]byte, size)
		for i := range text {
			text[i] = s[i%len(s)]
		}
		return string(text)
	}
	all := func(m map[string]string) map[string]string {
		out := make(map[string]string, len(m))
		for k, v := range m {
			out[k] = long(v)
		}
		return out
	}
	r.Headers, r.Cookies, r.Params = all(r.Headers), all(r.Cookies), all(r.Params)
	r.Path, r.Query, r.Authority = long(r.Path), long(r.Query), long(r.Authority)
	r.Method, r.SNI, r.Route = long(r.Method), long(r.SNI), long(r.Route)
	return r
}

// ending is one of the ways in which a request ends.
func ending(n int, backend string) Outcome {
	o := Outcome{Backend: backend, Status: 200, Head: time.Duration(n%50) * time.Millisecond, Total: time.Second}
	switch n % 5 {
	case 1:
		o.Status = 503
	case 2:
		o.Status, o.Flags, o.Head = 0, abi.OutcomeConnectFailed, 0
	case 3:
		o.Status, o.Flags, o.Head = 0, abi.OutcomeTimedOut, 0
	case 4:
		o.Flags, o.Attempt = abi.OutcomeReset, 1
	}
	return o
}
