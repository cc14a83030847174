package config

import (
	"errors"
	"strings"
	"time"
)

// parseDuration reads Go's form of a duration, which has units, without a sign.
func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || strings.HasPrefix(text, "+") {
		return 0, errors.New("want a duration such as 500ms, 30s or 1h30m")
	}
	return d, nil
}

// formatDuration is Go's form without units that count nothing.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
