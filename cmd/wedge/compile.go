package main

import (
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge"
)

const compileName = "compile-plugin"

// compileCommand is the child in which an edge compiles plugins.
func compileCommand() *cobra.Command {
	return &cobra.Command{
		Use:                compileName,
		Short:              "Compile one plugin for an edge, within limits",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			return edge.CompilePlugin(args, c.InOrStdin(), c.OutOrStdout())
		},
	}
}

// compiler is how an edge starts that child: this very program, though its file may have been replaced since.
func compiler() []string {
	self, err := os.Executable()
	if runtime.GOOS == "linux" {
		self, err = "/proc/self/exe", nil
	}
	if err != nil {
		return nil
	}
	return []string{self, compileName}
}
