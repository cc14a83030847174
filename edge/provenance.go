package edge

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/plugin"
	"github.com/wedge-lb/wedge/plugins"
)

// The most that is read of a plugin, whose contents the host checks, and of a key or a signature.
const (
	maxModule = 16 << 20
	maxKey    = 16 << 10
)

// library is where the state directory keeps modules.
const library = "plugins"

// signatureSuffix is what a signature's file is called by default, behind its module's name.
const signatureSuffix = ".sig"

// signed is a module and what came with it as its signature, nil if nothing did.
type signed struct{ wasm, signature []byte }

// module is what a strategy of c may use: a built-in, or a plugin that is what c demands of it. It is read once, and
// what was verified is what is given. An error about a plugin is a config.Fault.
func (s *Server) module(c *config.Config, use string) ([]byte, error) {
	if name, ok := strings.CutPrefix(use, builtin); ok {
		return plugins.Builtin(name)
	}
	p, ok := c.Plugins[use]
	if !ok {
		return nil, fmt.Errorf("plugin %q: no such built-in, plugin of the configuration or file; "+
			"built in are %s%s", use, builtin, strings.Join(plugins.Names(), ", "+builtin))
	}
	demand, err := provenanceOf(p)
	if err != nil {
		return nil, c.Fault("plugins."+use+".verify.public_key", err.Error())
	}
	m, err := s.fetch(use, p)
	if err != nil {
		return nil, c.Fault("plugins."+use+".source", err.Error())
	}
	if err := demand.Verify(m.wasm, m.signature); err != nil {
		return nil, c.Fault("plugins."+use, err.Error())
	}
	if err := s.library.Put(m.wasm, m.signature); err != nil {
		s.log.Warn("plugin not kept", "plugin", use, "error", err)
	}
	return m.wasm, nil
}

// provenanceOf reads the key that a plugin must be signed by.
func provenanceOf(p config.Plugin) (plugin.Provenance, error) {
	demand := plugin.Provenance{SHA256: p.SHA256}
	if p.Verify.PublicKey == "" {
		return demand, nil
	}
	data, err := readFile(string(p.Verify.PublicKey), maxKey)
	if err != nil {
		return demand, err
	}
	demand.Key, err = plugin.ParsePublicKey(data)
	return demand, err
}

// fetch reads a plugin's file. One that cannot be read is taken from the library if the configuration says which
// module it is.
func (s *Server) fetch(name string, p config.Plugin) (signed, error) {
	m, err := readModule(string(p.Source), string(p.Verify.Signature), p.Verify.PublicKey != "")
	if err == nil || p.SHA256 == "" {
		return m, err
	}
	wasm, signature, kept := s.library.Get(p.SHA256)
	if kept != nil {
		return m, fmt.Errorf("%w, and the plugin store does not have it", err)
	}
	s.log.Warn("plugin taken from the store", "plugin", name, "sha256", p.SHA256, "error", err)
	return signed{wasm, signature}, nil
}

// readModule reads a plugin's file, and its signature if that is wanted: from a file of that name, or from the one
// beside it.
func readModule(file, signature string, wanted bool) (m signed, err error) {
	if m.wasm, err = readFile(file, maxModule); err != nil || !wanted {
		return m, err
	}
	if signature == "" {
		signature = file + signatureSuffix
	}
	data, err := readFile(signature, maxKey)
	if err != nil {
		return m, fmt.Errorf("signature: %w", err)
	}
	m.signature, err = plugin.ParseSignature(data)
	return m, err
}

// vouched tells whether an uploaded module may serve for a strategy: if the plugin that the configuration has for it
// must be signed, so must this one, by the same key; and one that takes a plugin's name must be that plugin.
func (s *Server) vouched(name string, r SwapRequest) error {
	own := s.conf.Strategies[name].Use
	if demand, err := provenanceOf(s.conf.Plugins[own]); err != nil {
		return fmt.Errorf("plugin %s: %w", own, err)
	} else if err := (plugin.Provenance{Key: demand.Key}).Verify(r.Module, r.Signature); err != nil {
		return fmt.Errorf("strategy %s may run only what is signed as plugin %s is: %w", name, own, err)
	}
	demand, err := provenanceOf(s.conf.Plugins[r.Use])
	if err == nil {
		err = demand.Verify(r.Module, r.Signature)
	}
	if err != nil {
		return fmt.Errorf("plugin %s: %w", r.Use, err)
	}
	return nil
}

// uploadedFile reads a module, and its signature if there is one beside it, for a swap.
func uploadedFile(file string) (signed, error) {
	_, err := os.Lstat(file + signatureSuffix)
	return readModule(file, "", !errors.Is(err, fs.ErrNotExist))
}
