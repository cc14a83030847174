package demo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"time"

	"github.com/quic-go/quic-go/http3"
)

var protocols = []string{"h1", "h2", "h3"}

// wanted is how a response names each protocol.
var wanted = map[string]int{"h1": 1, "h2": 2, "h3": 3}

// client speaks one protocol to the edge as a browser does, cookies included.
type client struct {
	protocol string
	url      string
	http     *http.Client
	close    func()
}

func newClient(protocol, url string, roots *x509.CertPool) (*client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("demo client %s: %w", protocol, err)
	}
	c := &client{protocol: protocol, url: url, http: &http.Client{Jar: jar, Timeout: 10 * time.Second}}
	config := &tls.Config{RootCAs: roots}
	if protocol == "h3" {
		t := &http3.Transport{TLSClientConfig: config}
		c.http.Transport, c.close = t, func() { _ = t.Close() }
		return c, nil
	}
	var speak http.Protocols
	speak.SetHTTP1(protocol == "h1")
	speak.SetHTTP2(protocol == "h2")
	t := &http.Transport{TLSClientConfig: config, Protocols: &speak}
	c.http.Transport, c.close = t, t.CloseIdleConnections
	return c, nil
}

// newCrowd makes so many clients of each protocol.
func newCrowd(each int, url string, roots *x509.CertPool) ([]*client, error) {
	var crowd []*client
	for range each {
		for _, p := range protocols {
			c, err := newClient(p, url, roots)
			if err != nil {
				return nil, err
			}
			crowd = append(crowd, c)
		}
	}
	return crowd, nil
}

// run sends a request every interval until ctx is done.
func (c *client) run(ctx context.Context, every time.Duration, t *tally) {
	defer c.close()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		name, err := c.get(ctx, fmt.Sprintf("%s/item/%d", c.url, n%50))
		switch {
		case err == nil:
			t.answered(c.protocol, name)
		case ctx.Err() == nil:
			t.failed(c.protocol, err)
		}
	}
}

// get gives the name of the backend that answered.
func (c *client) get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != wanted[c.protocol] {
		return "", fmt.Errorf("%s over %s: %s", url, resp.Proto, resp.Status)
	}
	var h hello
	if err := json.Unmarshal(body, &h); err != nil || h.Backend == "" {
		return "", errors.Join(fmt.Errorf("%s: unexpected answer %q", url, body), err)
	}
	return h.Backend, nil
}
