package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	maxAnswer   = 64 << 20 // bytes
)

// A Client calls the API of a running edge. It is safe for concurrent use. Errors that the edge answered are
// *Problem.
type Client struct {
	address address
	token   string
	http    *http.Client
}

// NewClient makes a client for the address that the edge listens at (unix:///PATH or HOST:PORT); nothing is
// dialled yet.
func NewClient(listen, token string) (*Client, error) {
	a, err := parseAddress(listen)
	if err != nil {
		return nil, fmt.Errorf("admin address %w", err)
	}
	t := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			d := net.Dialer{Timeout: dialTimeout}
			return d.DialContext(ctx, a.network, a.name)
		},
		MaxIdleConns: 1,
	}
	return &Client{address: a, token: token, http: &http.Client{Transport: t}}, nil
}

// Close closes connections that are kept.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status tells what runs.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return get[Status](ctx, c, "/v1/status")
}

// Ready is nil if the edge serves requests.
func (c *Client) Ready(ctx context.Context) error {
	_, err := get[[]byte](ctx, c, "/readyz")
	return err
}

// Config is the configuration in force, as YAML without secrets.
func (c *Client) Config(ctx context.Context) ([]byte, error) {
	return get[[]byte](ctx, c, "/v1/config")
}

// Reload makes the edge read its configuration again.
func (c *Client) Reload(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, http.MethodPost, "/v1/config/reload", nil)
}

// Strategies lists the strategies.
func (c *Client) Strategies(ctx context.Context) ([]Strategy, error) {
	return get[[]Strategy](ctx, c, "/v1/strategies")
}

// Strategy is one strategy.
func (c *Client) Strategy(ctx context.Context, name string) (Strategy, error) {
	return get[Strategy](ctx, c, "/v1/strategies/"+url.PathEscape(name))
}

// Swap replaces what a strategy runs.
func (c *Client) Swap(ctx context.Context, name string, swap Swap) (Strategy, error) {
	return ask[Strategy](ctx, c, http.MethodPost, "/v1/strategies/"+url.PathEscape(name)+"/swap", swap)
}

// Pools lists the pools.
func (c *Client) Pools(ctx context.Context) ([]Pool, error) { return get[[]Pool](ctx, c, "/v1/pools") }

// Pool is one pool.
func (c *Client) Pool(ctx context.Context, name string) (Pool, error) {
	return get[Pool](ctx, c, "/v1/pools/"+url.PathEscape(name))
}

// Backend is one backend of a pool.
func (c *Client) Backend(ctx context.Context, pool, id string) (Backend, error) {
	return get[Backend](ctx, c, backendPath(pool, id))
}

// SetState overrides the configured state of a backend; see StateReady and its neighbours.
func (c *Client) SetState(ctx context.Context, pool, id, state string) (Backend, error) {
	return c.Override(ctx, pool, id, Change{State: state})
}

// Override sets an operator's word about a backend, or takes it back by StateConfigured.
func (c *Client) Override(ctx context.Context, pool, id string, change Change) (Backend, error) {
	return ask[Backend](ctx, c, http.MethodPatch, backendPath(pool, id), change.wire())
}

// Overrides lists what operators have said.
func (c *Client) Overrides(ctx context.Context) ([]Override, error) {
	return get[[]Override](ctx, c, "/v1/overrides")
}

func backendPath(pool, id string) string {
	return "/v1/pools/" + url.PathEscape(pool) + "/backends/" + url.PathEscape(id)
}

// Certificates lists the certificates.
func (c *Client) Certificates(ctx context.Context) ([]Certificate, error) {
	return get[[]Certificate](ctx, c, "/v1/certificates")
}

// Authority is the root of the local CA, as PEM.
func (c *Client) Authority(ctx context.Context) ([]byte, error) { return get[[]byte](ctx, c, "/v1/ca") }

// Metrics is what Prometheus would scrape.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) { return get[[]byte](ctx, c, "/metrics") }

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	return ask[T](ctx, c, http.MethodGet, path, nil)
}

// ask sends a value as JSON (nil = none) and reads the answer, from JSON unless T is []byte.
func ask[T any](ctx context.Context, c *Client, method, path string, send any) (answer T, err error) {
	body, err := c.exchange(ctx, method, path, send)
	if err != nil {
		return answer, err
	}
	if raw, ok := any(&answer).(*[]byte); ok {
		*raw = body
		return answer, nil
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, fmt.Errorf("admin %s: answer to %s: %w", c.address.name, path, err)
	}
	return answer, nil
}

func (c *Client) exchange(ctx context.Context, method, path string, send any) ([]byte, error) {
	r, err := c.request(ctx, method, path, send)
	if err != nil {
		return nil, err
	}
	a, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("admin %s: %w", c.address.name, err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(io.LimitReader(a.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("admin %s: %s: %w", c.address.name, path, err)
	}
	if a.StatusCode != http.StatusOK {
		return nil, problemIn(a.StatusCode, body)
	}
	return body, nil
}

func (c *Client) request(ctx context.Context, method, path string, send any) (*http.Request, error) {
	var body io.Reader
	if send != nil {
		text, err := json.Marshal(send)
		if err != nil {
			return nil, fmt.Errorf("admin request %s: %w", path, err)
		}
		body = bytes.NewReader(text)
	}
	host := "localhost"
	if c.address.network == "tcp" {
		host = c.address.name
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+host+path, body)
	if err != nil {
		return nil, fmt.Errorf("admin request %s: %w", path, err)
	}
	if send != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	return r, nil
}

func problemIn(status int, body []byte) error {
	p := &Problem{}
	if json.Unmarshal(body, p) != nil || p.Title == "" {
		p = newProblem(status, fmt.Sprintf("the edge answered %d", status), "")
	}
	p.Status = status
	return p
}
