package edge

import (
	"io"
	"log/slog"

	"github.com/wedge-lb/wedge/edge/config"
)

// Options are what a Server works with beside its configuration. The zero value is usable.
type Options struct {
	Logger  *slog.Logger // default: discard
	Version string       // of the command, for metrics
	// Load reads the configuration again for Reload; nil = Reload is refused.
	Load func() (*config.Config, error)
	// PluginCache keeps compiled plugins; default: compiled in the state directory.
	PluginCache string
	// Access is where the access log goes instead of what the configuration says.
	Access io.Writer
}
