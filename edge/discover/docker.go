package discover

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const maxDocker = 4 << 20 // bytes of an answer

// DockerOptions say which containers are members.
type DockerOptions struct {
	Socket string // of the Docker API; default /var/run/docker.sock
	Label  string // NAME or NAME=VALUE, that a container must have
	Port   uint16 // of containers without the label wedge.port; default 80
	Scheme string // http or https; default http
}

// Docker are the running containers with a label. Labels of theirs say the rest: wedge.id (else the
// container's name), wedge.port, wedge.network (else the first by name in which there is an address),
// wedge.weight, wedge.zone, and wedge.label.NAME for a member's label NAME.
type Docker struct {
	opt    DockerOptions
	url    string
	client *http.Client
}

// NewDocker makes the source.
func NewDocker(o DockerOptions) *Docker {
	o.Socket = cmp.Or(o.Socket, "/var/run/docker.sock")
	o.Port, o.Scheme = cmp.Or(o.Port, 80), cmp.Or(o.Scheme, "http")
	filters, _ := json.Marshal(map[string][]string{"label": {o.Label}, "status": {"running"}}) // strings only
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", o.Socket)
	}
	return &Docker{
		opt: o, url: "http://docker/containers/json?" + url.Values{"filters": {string(filters)}}.Encode(),
		client: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}},
	}
}

// Look lists the containers.
func (d *Docker) Look(ctx context.Context) (Finding, error) {
	data, err := d.list(ctx)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err // the rest is the socket's name, told below
		}
		return Finding{}, fmt.Errorf("docker %s: %w", d.opt.Socket, err)
	}
	f, err := d.members(data)
	if err != nil {
		return Finding{}, fmt.Errorf("docker %s: %w", d.opt.Socket, err)
	}
	return f, nil
}

func (d *Docker) list(ctx context.Context) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := d.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", answer.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxDocker+1))
	if err == nil && len(data) > maxDocker {
		err = fmt.Errorf("the answer is larger than %d bytes", maxDocker)
	}
	return data, err
}

// container is what is read of a container.
type container struct {
	Names           []string
	State           string
	Labels          map[string]string
	NetworkSettings struct {
		Networks map[string]struct{ IPAddress, GlobalIPv6Address string }
	}
}

// members reads an answer. Containers that cannot be members are left out, and the first is told of.
func (d *Docker) members(data []byte) (Finding, error) {
	var list []container
	if err := json.Unmarshal(data, &list); err != nil {
		return Finding{}, fmt.Errorf("not a list of containers: %w", err)
	}
	slices.SortStableFunc(list, func(a, b container) int { return cmp.Compare(a.name(), b.name()) })
	ids := map[string]string{}
	var members []Member
	var missed error
	for _, c := range list {
		if c.State != "running" || !c.has(d.opt.Label) {
			continue // the filters say so, but an older Docker knows fewer
		}
		m, err := d.member(c)
		if first, twice := ids[m.ID]; err == nil && twice {
			err = fmt.Errorf("the id %s is that of container %q", m.ID, first)
		}
		if err != nil {
			missed = cmp.Or(missed, fmt.Errorf("container %q: %w", c.name(), err))
			continue
		}
		ids[m.ID] = c.name()
		members = append(members, m)
	}
	if len(members) == 0 {
		return Finding{}, cmp.Or(missed, fmt.Errorf("no running container has the label %s", d.opt.Label))
	}
	members, err := bounded(members)
	return Finding{Members: members, Missed: errors.Join(missed, err)}, nil
}

// name is the container's own: others are those by which linked containers call it.
func (c *container) name() string {
	for _, n := range c.Names {
		if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
			return n
		}
	}
	return ""
}

func (c *container) has(label string) bool {
	name, value, valued := strings.Cut(label, "=")
	got, ok := c.Labels[name]
	return ok && (!valued || got == value)
}

func (d *Docker) member(c container) (Member, error) {
	port, err := c.number("wedge.port", int(d.opt.Port), 1<<16-1)
	if err != nil {
		return Member{}, err
	}
	weight, err := c.number("wedge.weight", 1, maxWeight)
	if err != nil {
		return Member{}, err
	}
	address, err := c.address()
	if err != nil {
		return Member{}, err
	}
	m := Member{
		ID: cmp.Or(c.Labels["wedge.id"], c.name()), Scheme: d.opt.Scheme, Weight: uint32(weight),
		Address: netip.AddrPortFrom(address, uint16(port)).String(), Zone: c.Labels["wedge.zone"],
	}
	if m.Labels, err = c.labels(); err != nil {
		return Member{}, err
	}
	if !isID(m.ID) {
		return Member{}, errors.New("an id is 1 to 128 visible ASCII characters without quotes")
	}
	return m, nil
}

const maxLabel = 256 // bytes of a name and of a value

var errLabel = fmt.Errorf("a zone and a label have at most %d bytes", maxLabel)

// labels are those that the container gives the member.
func (c *container) labels() (map[string]string, error) {
	var list map[string]string
	for name, value := range c.Labels {
		if !strings.HasPrefix(name, "wedge.") {
			continue
		}
		if len(name) > maxLabel || len(value) > maxLabel {
			return nil, errLabel
		}
		if name, ok := strings.CutPrefix(name, "wedge.label."); ok {
			if list == nil {
				list = map[string]string{}
			}
			list[name] = value
		}
	}
	return list, nil
}

// number reads a label from 1 to most.
func (c *container) number(label string, standard, most int) (int, error) {
	text, ok := c.Labels[label]
	if !ok {
		return standard, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("label %s: want 1 to %d", label, most)
	}
	return n, nil
}

// address is the container's in the network that a label names, or in the first that has one.
func (c *container) address() (netip.Addr, error) {
	names := slices.Sorted(maps.Keys(c.NetworkSettings.Networks))
	if n, ok := c.Labels["wedge.network"]; ok {
		names = []string{n}
	}
	for _, n := range names {
		settings := c.NetworkSettings.Networks[n]
		for _, text := range []string{settings.IPAddress, settings.GlobalIPv6Address} {
			if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" && usable(a.Unmap()) {
				return a.Unmap(), nil
			}
		}
	}
	return netip.Addr{}, errors.New("no address in its networks, or not in that of its label wedge.network")
}
