package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge/admin"
	"github.com/wedge-lb/wedge/edge/config"
)

// adminFlags say which running edge a command speaks to.
type adminFlags struct{ address, file, output string }

// tokenVariable holds the token of an admin listener on TCP that is not named by a configuration.
const tokenVariable = "WEDGE_ADMIN_TOKEN"

func (f *adminFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.address, "admin", "", "the edge's admin listener: unix:///PATH or host:port")
	c.Flags().StringVarP(&f.file, "config", "c", "", "the edge's configuration, which names its admin listener "+
		"(default "+defaultFile+" if there is one)")
	c.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
}

// client connects as the flags say: --admin, else the configuration, else the default state directory.
func (f *adminFlags) client() (*admin.Client, error) {
	if f.output != "text" && f.output != "json" {
		return nil, usageError{fmt.Errorf("--output %s: text or json", f.output)}
	}
	if f.address != "" {
		return admin.NewClient(f.address, os.Getenv(tokenVariable))
	}
	conf, err := f.config()
	if err != nil {
		return nil, err
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
	if _, err := os.Stat(defaultFile); errors.Is(err, fs.ErrNotExist) {
		return config.Default().Expand(), nil
	}
	return config.Load(defaultFile)
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
