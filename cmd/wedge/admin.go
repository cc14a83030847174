package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge/admin"
	"github.com/wedge-lb/wedge/edge/config"
)

// adminFlags say which running edge a command speaks to.
type adminFlags struct {
	address, file, output string

	sound bool // the edge is to read the configuration too: none that is faulty will do
}

// tokenVariable holds the token of an admin listener on TCP that is not named by a configuration.
const tokenVariable = "WEDGE_ADMIN_TOKEN"

func (f *adminFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.address, "admin", "", "the edge's admin listener: unix:///PATH or host:port")
	c.Flags().StringVarP(&f.file, "config", "c", "", "the edge's configuration, which names its admin listener "+
		"(default "+defaultFile+" if there is one)")
	c.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
}

// call does something with a client of the running edge.
func (f *adminFlags) call(do func(*admin.Client) error) error {
	client, err := f.client()
	if err != nil {
		return err
	}
	defer client.Close()
	err = do(client)
	var refused *net.OpError
	if errors.As(err, &refused) && refused.Op == "dial" {
		return fmt.Errorf("%w\nis the edge running? --admin or -c tells which one", err)
	}
	return err
}

// client connects as the flags say: --admin, else the configuration, else that of wedge proxy, else that of
// the default state directory.
func (f *adminFlags) client() (*admin.Client, error) {
	if f.output != "text" && f.output != "json" {
		return nil, usageError{fmt.Errorf("--output %s: text or json", f.output)}
	}
	if f.address != "" {
		client, err := admin.NewClient(f.address, os.Getenv(tokenVariable))
		if err != nil {
			return nil, usageError{err}
		}
		return client, nil
	}
	conf, err := f.config()
	if f.sound && errors.As(err, new(config.Faults)) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w\n--admin names the edge without its configuration", err)
	}
	network, address := conf.AdminAddress()
	if network == "unix" {
		address = "unix://" + address
	}
	return admin.NewClient(address, string(conf.Admin.Token.Value()))
}

func (f *adminFlags) config() (*config.Config, error) {
	if f.file != "" {
		return config.Load(f.file)
	}
	if _, err := os.Stat(defaultFile); !errors.Is(err, fs.ErrNotExist) {
		return config.Load(defaultFile)
	}
	conf := config.Default()
	if dir, err := userStateDir(); err == nil {
		own := *conf
		own.StateDir = config.Dir(dir)
		if _, socket := own.AdminAddress(); isSocket(socket) {
			return &own, nil
		}
	}
	return conf, nil
}

func isSocket(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeSocket != 0
}

// print writes v as JSON if that is asked for, and else calls text.
func (f *adminFlags) print(w io.Writer, v any, text func(io.Writer)) error {
	if f.output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	text(w)
	return nil
}
