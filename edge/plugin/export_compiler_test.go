package plugin

import (
	"bytes"
	"encoding/json"
	"path/filepath"
)

// Remeter makes the host's cache believe that a module was metered in another way when it was compiled.
func Remeter(h *Host, wasm []byte, l Limits) error {
	name := h.codes.name(wasm, l)
	note, err := h.codes.read(name)
	if err != nil {
		return err
	}
	code, err := readBounded(filepath.Join(h.codes.dir, note.Module), cacheBytes)
	if err != nil {
		return err
	}
	note.Meter = Digest([]byte("other"))
	note.MAC = h.codes.mac(name, note, code)
	text, err := json.Marshal(note)
	if err != nil {
		return err
	}
	return writeWhole(filepath.Join(h.codes.dir, noteDir, name+noteSuffix), text)
}

// FillCache adds notes of code that nobody asks for, and trims.
func FillCache(h *Host, n int) error {
	for i := range n {
		note := compiledNote{Module: filepath.Join("old", Digest([]byte{byte(i)})), Size: 1}
		text, err := json.Marshal(note)
		if err != nil {
			return err
		}
		path := filepath.Join(h.codes.dir, noteDir, Digest([]byte{byte(i)})+noteSuffix)
		if err := writeWhole(path, text); err != nil {
			return err
		}
	}
	return h.codes.trim()
}

// CacheModules is how many modules a cache keeps.
const CacheModules = cacheModules

// Memories copies all that the idle instances have.
func Memories(g *Guests) (list [][]byte) {
	for slot := range g.free.slots {
		if i := g.free.takeFrom(slot); i != nil {
			all, _ := i.memory.Read(0, i.memory.Size())
			list = append(list, bytes.Clone(all))
			g.free.give(i)
		}
	}
	return list
}
