package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/wedge-lb/wedge/edge/health"
)

const (
	healthFile    = "health.json"
	healthVersion = 1
	healthLimit   = 32 << 20         // bytes of the file
	healthAge     = 10 * time.Minute // after that it says nothing of now
	healthPause   = time.Second      // between two writes
	healthEvery   = time.Minute      // it is written at least
	healthSkew    = time.Minute      // that a clock may have been set back
)

// healthState keeps what is known of backends' health over a restart.
type healthState struct {
	path    string
	log     *slog.Logger
	checker *health.Checker
	changed chan struct{} // has room for one
	empty   bool          // what the file says; of keep's goroutine once that runs
}

// savedHealth is the file's form.
type savedHealth struct {
	Version int          `json:"version"`
	Saved   time.Time    `json:"saved"`
	Pools   health.State `json:"pools"`
}

func newHealthState(dir string, c *health.Checker, log *slog.Logger) *healthState {
	return &healthState{
		path: filepath.Join(dir, healthFile), log: log, checker: c, changed: make(chan struct{}, 1),
	}
}

// note tells that something has changed.
func (h *healthState) note() {
	select {
	case h.changed <- struct{}{}:
	default: // it is to be saved anyway
	}
}

// restore begins with what the last edge knew. What cannot be believed is told and ignored.
func (h *healthState) restore() {
	state, err := readHealth(h.path, time.Now())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		h.empty = true
		return
	case err != nil:
		h.log.Warn("health of backends before the start not known", "file", h.path, "error", err)
		return
	}
	out, refused := h.checker.Restore(state)
	if out > 0 {
		h.log.Info("health of backends as before the start", "file", h.path, "out", out)
	}
	for _, pool := range refused {
		h.log.Warn("health before the start not believed: no backend would be open", "pool", pool)
	}
}

// readHealth reads a file of this version that is young enough.
func readHealth(path string, now time.Time) (health.State, error) {
	data, err := readFile(path, healthLimit)
	if err != nil {
		return nil, err
	}
	return parseHealth(data, now)
}

func parseHealth(data []byte, now time.Time) (health.State, error) {
	if len(data) > healthLimit {
		return nil, fmt.Errorf("over %d bytes", healthLimit)
	}
	var s savedHealth
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&s); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("more than one value")
	}
	if s.Version != healthVersion {
		return nil, fmt.Errorf("version %d, want %d", s.Version, healthVersion)
	}
	if age := now.Sub(s.Saved); age > healthAge || age < -healthSkew {
		return nil, fmt.Errorf("saved at %s, which is too long ago or to come", s.Saved.Format(time.RFC3339))
	}
	return s.Pools, nil
}

// keep saves after changes, at most once in healthPause, now and then so that the file stays young, and at
// the end.
func (h *healthState) keep(ctx context.Context) error {
	often := time.NewTicker(healthEvery)
	defer often.Stop()
	for {
		select {
		case <-ctx.Done():
			h.save()
			return nil
		case <-h.changed:
		case <-often.C:
		}
		h.save()
		select {
		case <-ctx.Done():
		case <-time.After(healthPause):
		}
	}
}

// save writes the file, unless there is nothing to say and never was. A disk that is full costs the memory,
// not the service.
func (h *healthState) save() {
	state := h.checker.State()
	if len(state) == 0 && h.empty {
		return
	}
	data, err := json.Marshal(savedHealth{Version: healthVersion, Saved: time.Now(), Pools: state})
	if err == nil {
		err = writeFile(h.path, data)
	}
	if err != nil {
		h.log.Error("health of backends not saved", "file", h.path, "error", err)
		return
	}
	h.empty = len(state) == 0
}
