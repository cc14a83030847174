package edge

import (
	"io"
	"log/slog"

	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/plugin"
)

// Options are what a Server works with beside its configuration. The zero value is usable.
type Options struct {
	Logger  *slog.Logger // default: discard
	Version string       // of the command, for metrics
	// Load reads the configuration again for Reload; nil = Reload is refused.
	Load func() (*config.Config, error)
	// PluginCache keeps compiled plugins; default: compiled in the state directory.
	PluginCache string
	// Compiler is the program, and its first arguments, that compiles plugins: it calls CompilePlugin with those that
	// are added. A plugin that is a bomb then ends that program and not this one. Default: plugins are compiled here.
	Compiler []string
	// Access is where the access log goes instead of what the configuration says.
	Access io.Writer
}

// CompilePlugin is all that a program does which Options.Compiler names: it takes a plugin from in and answers on out.
// It bounds the memory and the time of its process.
func CompilePlugin(args []string, in io.Reader, out io.Writer) error {
	return plugin.Compile(args, in, out)
}
