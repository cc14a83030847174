package config

import (
	"errors"
	"strconv"
	"strings"
)

// Percent is a whole number of hundredths, 0 to 100, written 20%.
type Percent int

// ParsePercent reads the written form.
func ParsePercent(text string) (Percent, error) {
	digits, ok := strings.CutSuffix(text, "%")
	n, err := strconv.ParseUint(digits, 10, 8)
	if !ok || err != nil {
		return 0, errors.New("want a whole percentage such as 20%")
	}
	if n > 100 {
		return 0, errors.New("want at most 100%")
	}
	return Percent(n), nil
}

// String returns the written form.
func (p Percent) String() string { return strconv.Itoa(int(p)) + "%" }
