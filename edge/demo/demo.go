package demo

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/config"
)

// Options are how long a demo runs and where it speaks.
type Options struct {
	For    time.Duration // 0 = until the context ends
	Out    io.Writer
	Logger *slog.Logger // of the edge; default: discard

	Compiler []string // as of edge.Options
}

const (
	clients  = 4                      // of each protocol
	interval = 100 * time.Millisecond // between two requests of one client
)

// swaps are the strategies that the demo changes to, in turn.
var swaps = []struct{ use, options string }{
	{"builtin/cookie-sticky", `{}`},
	{"builtin/consistent-hash", `{"key":["path"]}`},
}

// demo is a running demonstration.
type demo struct {
	opt      Options
	dir      string
	backends []*backend
	server   *edge.Server
	tally    *tally
}

// Run runs a demo until its time is over or ctx is done. The error is not nil if it could not start, a
// request failed or a protocol saw none.
func Run(ctx context.Context, o Options) (err error) {
	d := &demo{opt: o, tally: newTally()}
	defer func() { err = errors.Join(err, d.cleanUp()) }()
	if err := d.prepare(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go d.serve(ctx, ended)
	defer func() { cancel(); err = errors.Join(err, <-ended) }()
	select {
	case <-d.server.Ready():
	case err := <-ended:
		ended <- nil
		return err
	}
	return d.show(ctx)
}

func (d *demo) serve(ctx context.Context, ended chan<- error) { ended <- d.server.Run(ctx) }

func (d *demo) prepare() error {
	for _, name := range []string{"demo-1", "demo-2", "demo-3"} {
		b, err := startBackend(name)
		if err != nil {
			return err
		}
		d.backends = append(d.backends, b)
	}
	var err error
	if d.dir, err = os.MkdirTemp("", "wedge-demo-"); err != nil {
		return fmt.Errorf("demo state: %w", err)
	}
	c, err := config.Parse("demo.yaml", []byte(d.yaml()), config.Options{Dir: d.dir})
	if err != nil {
		return err
	}
	d.server, err = edge.New(c, edge.Options{Logger: d.opt.Logger, Compiler: d.opt.Compiler})
	return err
}

// yaml is the configuration that the demo runs.
func (d *demo) yaml() string {
	var s strings.Builder
	fmt.Fprintf(&s, `version: 1
state_dir: %q
server:
  listen: { http: "127.0.0.1:0", https: "127.0.0.1:0" }
  drain_timeout: 5s
logging: { access: { format: "off" } }
tls: { issuer: internal }
strategies:
  demo: { use: builtin/stateless, options: { algorithm: round_robin } }
pools:
  demo:
    strategy: demo
    health: { active: { interval: 1s } }
    backends:
`, d.dir)
	for _, b := range d.backends {
		fmt.Fprintf(&s, "      - { id: %s, url: %q }\n", b.name, b.url())
	}
	s.WriteString("sites:\n  - { hosts: [localhost, 127.0.0.1], routes: [{ pool: demo }] }\n")
	return s.String()
}

// show sends the traffic, swaps the strategy twice and prints what happens.
func (d *demo) show(ctx context.Context) error {
	url, err := d.introduce()
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(d.server.RootPEM())
	crowd, err := newCrowd(clients, url, roots)
	if err != nil {
		return err
	}
	traffic, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for _, c := range crowd {
		wg.Go(func() { c.run(traffic, interval, d.tally) })
	}
	err = d.direct(ctx)
	stop()
	wg.Wait()
	fmt.Fprintln(d.opt.Out, "\nrequests in all")
	d.tally.print(d.opt.Out)
	return errors.Join(err, d.tally.verdict(ctx.Err() == nil))
}

// introduce says what runs where.
func (d *demo) introduce() (url string, err error) {
	url = fmt.Sprintf("https://localhost:%d", d.server.Port("https"))
	rootFile := filepath.Join(d.dir, "root.pem")
	if err := os.WriteFile(rootFile, d.server.RootPEM(), 0o644); err != nil {
		return "", fmt.Errorf("demo root certificate: %w", err)
	}
	fmt.Fprintf(d.opt.Out, `wedge demo: three backends behind %s (h1, h2, h3)

try, in another terminal:
  curl --cacert %s %s/
  curl --cacert %s --http1.1 -i %s/
  wedge status --admin %s
  wedge strategy swap demo --use builtin/cookie-sticky --admin %s

`, url, rootFile, url, rootFile, url, d.server.AdminAddress(), d.server.AdminAddress())
	return url, nil
}

// direct swaps the strategy after each third of the time, prints the table at the end of each, and returns
// when the time is over. A swap that takes long, as on a busy machine, makes the demo longer.
func (d *demo) direct(ctx context.Context) error {
	act := d.opt.For / time.Duration(len(swaps)+1)
	if act <= 0 {
		act = 5 * time.Second
	}
	fmt.Fprintln(d.opt.Out, "strategy: builtin/stateless {\"algorithm\":\"round_robin\"}")
	for _, s := range swaps {
		if !pause(ctx, act) {
			return nil
		}
		d.tally.print(d.opt.Out)
		if err := d.server.Swap(ctx, "demo", edge.SwapRequest{Use: s.use, Options: []byte(s.options)}); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		fmt.Fprintf(d.opt.Out, "\nstrategy: %s %s (swapped while traffic flows)\n", s.use, s.options)
	}
	for pause(ctx, act) && d.opt.For == 0 {
		d.tally.print(d.opt.Out)
	}
	return nil
}

// pause waits for d; it is false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (d *demo) cleanUp() error {
	var errs []error
	for _, b := range d.backends {
		errs = append(errs, b.stop())
	}
	if d.dir != "" {
		errs = append(errs, os.RemoveAll(d.dir))
	}
	return errors.Join(errs...)
}
