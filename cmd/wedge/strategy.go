package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge/admin"
)

// What is read of a plugin's file at most, which the edge checks, and of a signature's.
const (
	maxModule    = 16 << 20
	maxSignature = 1 << 10
)

func strategyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "strategy",
		Short:   "Look at strategies, and change them while requests flow",
		Example: "  wedge strategy status\n  wedge strategy swap spread --use builtin/cookie-sticky",
	}
	c.AddCommand(swapCommand(), strategyStatusCommand())
	return c
}

func swapCommand() *cobra.Command {
	var f adminFlags
	var use, options, signature string
	c := &cobra.Command{
		Use:   "swap NAME --use FILE_OR_BUILTIN [--options JSON]",
		Short: "Replace what a strategy runs; a plugin that fails a step leaves the running one untouched",
		Example: "  wedge strategy swap spread --use builtin/cookie-sticky\n" +
			"  wedge strategy swap spread --use ./tenant.wasm --options '{\"header\":\"x-tenant-id\"}'",
		Args: exactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			swap, err := swapOf(use, options, signature)
			if err != nil {
				return err
			}
			return f.call(func(client *admin.Client) error {
				got, err := client.Swap(c.Context(), args[0], swap)
				if err != nil {
					return err
				}
				return f.print(c.OutOrStdout(), got, func(w io.Writer) {
					fmt.Fprintf(w, "%s runs %s %s, generation %d\n", got.Name, got.Use, oneLine(got.Options), got.Generation)
				})
			})
		},
	}
	f.register(c)
	c.Flags().StringVar(&use, "use", "", "builtin/NAME, a plugin of the configuration, or a .wasm file")
	c.Flags().StringVar(&options, "options", "",
		"the strategy's options as JSON (default: those it has, or none)")
	c.Flags().StringVar(&signature, "signature", "",
		"the .wasm file's Ed25519 signature (default: the file with .sig behind its name, if there is one)")
	return c
}

// swapOf reads the file that use names, if it does: the edge need not see the caller's files.
func swapOf(use, options, signature string) (admin.Swap, error) {
	swap := admin.Swap{Use: use}
	if use == "" {
		return swap, usageError{fmt.Errorf("--use is missing: builtin/NAME, a plugin's name or a .wasm file")}
	}
	if options != "" {
		if !json.Valid([]byte(options)) {
			return swap, usageError{fmt.Errorf("--options %s: not JSON", options)}
		}
		swap.Options = json.RawMessage(options)
	}
	if !strings.HasSuffix(use, ".wasm") && !strings.HasPrefix(use, ".") && !strings.HasPrefix(use, "/") {
		return swap, nil
	}
	var err error
	if swap.Module, err = readAtMost(use, maxModule); err != nil {
		return swap, fmt.Errorf("--use: %w", err)
	}
	swap.Signature, err = signatureOf(use, signature)
	return swap, err
}

// signatureOf reads a module's signature: from the file that is named, or else from that beside it, if there is one.
func signatureOf(module, file string) ([]byte, error) {
	beside := file == ""
	if beside {
		file = module + ".sig"
	}
	data, err := readAtMost(file, maxSignature)
	if beside && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--signature: %w", err)
	}
	if len(data) == ed25519.SignatureSize {
		return data, nil
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(data)))
	if err != nil || len(raw) != ed25519.SignatureSize {
		return nil, fmt.Errorf("--signature %s: want %d bytes, or their base64", file, ed25519.SignatureSize)
	}
	return raw, nil
}

func readAtMost(name string, limit int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s: larger than %d bytes", name, limit)
	}
	return data, err
}

func strategyStatusCommand() *cobra.Command {
	var f adminFlags
	c := &cobra.Command{
		Use:     "status [NAME]",
		Short:   "Show what strategies run, what they see and what they did wrong",
		Example: "  wedge strategy status spread",
		Args:    atMost(1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.call(func(client *admin.Client) error {
				list, err := strategies(c.Context(), client, args)
				if err != nil {
					return err
				}
				return f.print(c.OutOrStdout(), list, func(w io.Writer) {
					tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
					strategiesText(tw, list)
					tw.Flush()
					if len(args) > 0 {
						troublesText(w, list[0].RecentFaults)
					}
				})
			})
		},
	}
	f.register(c)
	return c
}

// troublesText tells of faults in full, the newest first.
func troublesText(w io.Writer, list []admin.Trouble) {
	for _, t := range slices.Backward(list) {
		fmt.Fprintf(w, "\n%s %s: %s: %s\n", t.At.Format(time.RFC3339), t.Step, t.Kind, t.Text)
		for _, line := range t.Stack {
			fmt.Fprintf(w, "  at %s\n", line)
		}
		for _, line := range t.Log {
			fmt.Fprintf(w, "  it said: %s\n", line)
		}
	}
}

// strategies are those named, or all if none is.
func strategies(ctx context.Context, client *admin.Client, names []string) ([]admin.Strategy, error) {
	if len(names) == 0 {
		return client.Strategies(ctx)
	}
	one, err := client.Strategy(ctx, names[0])
	return []admin.Strategy{one}, err
}

// oneLine is JSON without the spaces that an answer of the API has in it.
func oneLine(options json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, options) != nil {
		return string(options)
	}
	return b.String()
}
