package discover_test

import (
	"net"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/discover"
)

// sound requires that a pool can have the members.
func sound(t *testing.T, list []discover.Member) {
	t.Helper()
	require.LessOrEqual(t, len(list), discover.MaxMembers)
	seen := map[string]bool{}
	for _, m := range list {
		require.NoError(t, m.Valid())
		require.False(t, seen[m.ID], m.ID)
		seen[m.ID] = true
		host, _, err := net.SplitHostPort(m.Address)
		require.NoError(t, err)
		ip := net.ParseIP(host)
		require.NotNil(t, ip, "what a server says is an address")
		require.False(t, ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast(), host)
	}
}

func FuzzAnswer(f *testing.F) {
	m := new(dns.Msg).SetQuestion("api.test.", dns.TypeA)
	f.Add(pack(m))
	for _, text := range []string{
		"api.test. 5 CNAME a.test.", "a.test. 5 CNAME api.test.", "a.test. 5 A 10.0.0.1", "api.test. 5 AAAA ::1",
		"api.test. 5 AAAA ::ffff:0.0.0.0", "api.test. 5 SRV 1 2 3 t.test.", "api.test. 5 SRV 0 0 0 .",
		`api.test. 5 SRV 0 65535 65535 a\"\000b.test.`, "api.test. 4294967295 A 224.0.0.1",
	} {
		rr, err := dns.NewRR(text)
		require.NoError(f, err)
		m.Answer = append(m.Answer, rr)
		f.Add(pack(m))
	}
	rr, err := dns.NewRR("t.test. 5 A 10.0.0.3")
	require.NoError(f, err)
	m.Extra = append(m.Extra, rr)
	f.Add(pack(m))
	f.Fuzz(func(t *testing.T, packet []byte) {
		list, _ := discover.ReadAnswer(packet, "api.test")
		sound(t, list)
	})
}

func FuzzContainers(f *testing.F) {
	f.Add([]byte("[" + container("a", `,"wedge.port":"1","wedge.weight":"2","wedge.id":"x"`, one) + "]"))
	f.Add([]byte("[" + container("a", `,"wedge.network":"n","wedge.label.a":"b"`, `"n":{"GlobalIPv6Address":"::2"}`) + "]"))
	f.Add([]byte(`[{"Names":["/a/b","/c"],"State":"running","Labels":{"wedge.pool":"shop"}}]`))
	f.Add([]byte(`[null,{}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := discover.ReadContainers(discover.DockerOptions{Label: "wedge.pool=shop"}, data)
		require.True(t, err != nil || len(found.Members) > 0)
		sound(t, found.Members)
	})
}

func FuzzDecode(f *testing.F) {
	data, err := discover.Encode("s", members("a b"))
	require.NoError(f, err)
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := discover.Decode(data, "s")
		if err != nil {
			return
		}
		for _, m := range list {
			require.NoError(t, m.Valid())
		}
		again, err := discover.Encode("s", list)
		require.NoError(t, err)
		got, err := discover.Decode(again, "s")
		require.NoError(t, err)
		require.Equal(t, len(list), len(got))
	})
}
