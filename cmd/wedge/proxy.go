package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/config"
)

// proxyFlags are an edge without a file.
type proxyFlags struct {
	listen, tls, strategy, stateDir string
	to                              []string
	print                           bool
}

func proxyCommand() *cobra.Command {
	var f proxyFlags
	c := &cobra.Command{
		Use:   "proxy --to BACKEND [--to BACKEND ...]",
		Short: "Balance without a file: plain HTTP for any host, or h1/h2/h3 with --tls internal",
		Example: "  wedge proxy --listen 127.0.0.1:8080 --to :9001 --to :9002\n" +
			"  wedge proxy --listen 127.0.0.1:8443 --tls internal --strategy cookie-sticky --to :9001 --to :9002",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8080", "where to serve, host:port")
	c.Flags().StringArrayVar(&f.to, "to", nil, "a backend: URL, host:port or :port (repeat)")
	c.Flags().StringVar(&f.tls, "tls", "off", "off, or internal for a certificate of the local CA")
	c.Flags().StringVar(&f.strategy, "strategy", "stateless", "the built-in strategy")
	c.Flags().StringVar(&f.stateDir, "state-dir", "", "where keys and compiled plugins are kept "+
		"(default: ~/.local/state/wedge)")
	c.Flags().BoolVar(&f.print, "print-config", false, "print the YAML that the flags stand for, and stop")
	return c
}

func (f *proxyFlags) run(c *cobra.Command) error {
	text, err := f.yaml()
	if err != nil {
		return usageError{err}
	}
	conf, err := config.Parse("(flags)", text, config.Options{})
	if err != nil {
		return err
	}
	if f.print {
		_, err := c.OutOrStdout().Write(text)
		return err
	}
	return serve(c.Context(), conf, edge.Options{})
}

// yaml is the configuration that the flags stand for.
func (f *proxyFlags) yaml() ([]byte, error) {
	if len(f.to) == 0 {
		return nil, fmt.Errorf("give at least one backend: --to :9001")
	}
	conf := config.Default()
	conf.Server.Listen = config.Listen{HTTP: f.listen}
	site := config.Site{Hosts: []string{"*"}, Routes: []config.Route{{Pool: "proxy"}}}
	switch f.tls {
	case "off":
		site.TLS.Issuer = "off"
	case "internal":
		site.TLS.Issuer = "internal"
		conf.Server.Listen = config.Listen{HTTPS: f.listen}
	default:
		return nil, fmt.Errorf("--tls %s: off or internal", f.tls)
	}
	dir := f.stateDir
	if dir == "" {
		var err error
		if dir, err = userStateDir(); err != nil {
			return nil, fmt.Errorf("--state-dir is missing: %w", err)
		}
	}
	conf.StateDir = config.Dir(dir)
	pool := config.DefaultPool()
	pool.Strategy = f.strategy
	for _, to := range f.to {
		pool.Backends = append(pool.Backends, config.DefaultBackend(backendURL(to)))
	}
	conf.Strategies = map[string]config.Strategy{f.strategy: {Use: "builtin/" + f.strategy}}
	conf.Pools = map[string]config.Pool{"proxy": pool}
	conf.Sites = []config.Site{site}
	return conf.YAML()
}

// backendURL completes :9001 and host:9001 to a URL.
func backendURL(to string) string {
	if strings.Contains(to, "://") {
		return to
	}
	if strings.HasPrefix(to, ":") {
		to = "127.0.0.1" + to
	}
	return "http://" + to
}
