package cli

import (
	"flag"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// MaxSize defines the flag -max-size, a number of bytes with or without a unit.
func MaxSize(usage string) *int64 {
	n := new(int64)
	flag.Func("max-size", usage, func(s string) (err error) {
		*n, err = ParseSize(s)
		return err
	})
	return n
}

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1e3}, {"m", 1e6}, {"g", 1e9}, {"t", 1e12}, {"b", 1},
}

// ParseSize parses a number of bytes: 1500000, 1500kB, 1.5MB, 4GiB.
func ParseSize(s string) (int64, error) {
	number, unit := strings.ToLower(s), 1.0
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = n, u.bytes
			break
		}
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if f *= unit; err != nil || !(f >= 1 && f < math.MaxInt64/2) {
		return 0, fmt.Errorf("want a number of bytes such as 1500000, 1.5MB or 4GiB")
	}
	return int64(f), nil
}
