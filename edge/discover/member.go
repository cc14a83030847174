package discover

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/wedge-lb/wedge/edge/balance"
)

// MaxMembers bounds what DNS and Docker may say of one pool.
const MaxMembers = 1000

// maxWeight is the largest weight of a member, as of a configured backend.
const maxWeight = 1000

// A Member is a backend that a source has found.
type Member struct {
	ID        string            `json:"id"`
	Scheme    string            `json:"scheme"`  // http or https
	Address   string            `json:"address"` // host:port
	Weight    uint32            `json:"weight"`
	Zone      string            `json:"zone,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Condition balance.Condition `json:"-"` // only files say it
}

func (m Member) equal(o Member) bool {
	return m.ID == o.ID && m.Scheme == o.Scheme && m.Address == o.Address && m.Weight == o.Weight &&
		m.Zone == o.Zone && m.Condition == o.Condition && maps.Equal(m.Labels, o.Labels)
}

func same(a, b []Member) bool { return slices.EqualFunc(a, b, Member.equal) }

// ordered is members by id, each id once, whatever order they come in.
func ordered(members []Member) []Member {
	members = slices.Clone(members)
	slices.SortStableFunc(members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Address, b.Address), cmp.Compare(b.Weight, a.Weight))
	})
	return slices.CompactFunc(members, func(a, b Member) bool { return a.ID == b.ID })
}

// bounded is ordered, and cut to what a pool may have.
func bounded(members []Member) ([]Member, error) {
	members = ordered(members)
	if n := len(members); n > MaxMembers {
		return members[:MaxMembers], fmt.Errorf("%d backends are more than %d; the others are not used", n, MaxMembers)
	}
	return members, nil
}

const maxID = 128 // bytes, as of a configured backend

// isID tells whether s can be a backend's id: visible ASCII without quotes.
func isID(s string) bool {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }
	return s != "" && len(s) <= maxID && !strings.ContainsFunc(s, odd)
}

var errMember = errors.New("not a backend")

// valid refuses what no source makes.
func (m Member) valid() error {
	_, digits, err := net.SplitHostPort(m.Address)
	port, bad := strconv.ParseUint(digits, 10, 16)
	switch {
	case !isID(m.ID), err != nil, bad != nil, port == 0, m.Weight < 1, m.Weight > maxWeight:
		return errMember
	case m.Scheme != "http" && m.Scheme != "https":
		return errMember
	}
	return nil
}
