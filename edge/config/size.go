package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written 512, 256B, 32KiB, 16MiB or 1GiB.
type Size int64

// ParseSize reads the written form.
func ParseSize(text string) (Size, error) {
	digits := strings.TrimRight(text, "BGKMTbgikmt")
	unit, err := sizeUnit(text[len(digits):])
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || digits[0] == '+' {
		return 0, errors.New("want a size such as 512B, 32KiB or 16MiB")
	}
	if n > uint64(math.MaxInt64/unit) {
		return 0, errors.New("the size is too large")
	}
	return Size(int64(n) * unit), nil
}

func sizeUnit(name string) (int64, error) {
	switch name {
	case "", "B":
		return 1, nil
	case "KiB":
		return 1 << 10, nil
	case "MiB":
		return 1 << 20, nil
	case "GiB":
		return 1 << 30, nil
	}
	return 0, errors.New("the units of a size are B, KiB, MiB and GiB")
}

// String returns the written form with the largest unit that divides s.
func (s Size) String() string {
	n, unit := int64(s), 0
	for n != 0 && n%1024 == 0 && unit < 3 {
		n /= 1024
		unit++
	}
	return strconv.FormatInt(n, 10) + [...]string{"B", "KiB", "MiB", "GiB"}[unit]
}
