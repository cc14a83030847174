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
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.get(ctx, "/v1/status", &s)
}

// Ready is nil if the edge serves requests.
func (c *Client) Ready(ctx context.Context) error { return c.get(ctx, "/readyz", nil) }

// Config is the configuration in force, as YAML without secrets.
func (c *Client) Config(ctx context.Context) ([]byte, error) { return c.text(ctx, "/v1/config") }

// Reload makes the edge read its configuration again.
func (c *Client) Reload(ctx context.Context) (s Status, err error) {
	return s, c.call(ctx, http.MethodPost, "/v1/config/reload", nil, &s)
}

// Strategies lists the strategies.
func (c *Client) Strategies(ctx context.Context) (list []Strategy, err error) {
	return list, c.get(ctx, "/v1/strategies", &list)
}

// Strategy is one strategy.
func (c *Client) Strategy(ctx context.Context, name string) (s Strategy, err error) {
	return s, c.get(ctx, "/v1/strategies/"+url.PathEscape(name), &s)
}

// Swap replaces what a strategy runs.
func (c *Client) Swap(ctx context.Context, name string, swap Swap) (s Strategy, err error) {
	return s, c.call(ctx, http.MethodPost, "/v1/strategies/"+url.PathEscape(name)+"/swap", swap, &s)
}

// Pools lists the pools.
func (c *Client) Pools(ctx context.Context) (list []Pool, err error) {
	return list, c.get(ctx, "/v1/pools", &list)
}

// Backend is one backend of a pool.
func (c *Client) Backend(ctx context.Context, pool, id string) (b Backend, err error) {
	return b, c.get(ctx, backendPath(pool, id), &b)
}

// SetState overrides the configured state of a backend; see the States.
func (c *Client) SetState(ctx context.Context, pool, id, state string) (b Backend, err error) {
	return b, c.call(ctx, http.MethodPatch, backendPath(pool, id), map[string]string{"state": state}, &b)
}

func backendPath(pool, id string) string {
	return "/v1/pools/" + url.PathEscape(pool) + "/backends/" + url.PathEscape(id)
}

// Certificates lists the certificates.
func (c *Client) Certificates(ctx context.Context) (list []Certificate, err error) {
	return list, c.get(ctx, "/v1/certificates", &list)
}

// Authority is the root of the local CA, as PEM.
func (c *Client) Authority(ctx context.Context) ([]byte, error) { return c.text(ctx, "/v1/ca") }

// Metrics is what Prometheus would scrape.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) { return c.text(ctx, "/metrics") }

func (c *Client) text(ctx context.Context, path string) (body []byte, err error) {
	return body, c.call(ctx, http.MethodGet, path, nil, &body)
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	return c.call(ctx, http.MethodGet, path, nil, into)
}

// call sends a value as JSON (nil = none) and reads the answer into a *[]byte as it is, or as JSON.
func (c *Client) call(ctx context.Context, method, path string, send, into any) error {
	r, err := c.request(ctx, method, path, send)
	if err != nil {
		return err
	}
	a, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("admin %s: %w", c.address.name, err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(io.LimitReader(a.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("admin %s: %s: %w", c.address.name, path, err)
	}
	if a.StatusCode != http.StatusOK {
		return problemIn(a.StatusCode, body)
	}
	switch into := into.(type) {
	case nil:
		return nil
	case *[]byte:
		*into = body
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("admin %s: answer to %s: %w", c.address.name, path, err)
	}
	return nil
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
