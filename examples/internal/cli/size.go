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
	{"kib", 1 << 10},
	{"mib", 1 << 20},
	{"gib", 1 << 30},
	{"tib", 1 << 40},
	{"kb", 1e3},
	{"mb", 1e6},
	{"gb", 1e9},
	{"tb", 1e12},
	{"k", 1e3},
	{"m", 1e6},
	{"g", 1e9},
	{"t", 1e12},
	{"b", 1},
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

// Rate defines a flag for a number of bits per second, in target, with or without a unit.
func Rate(target *float64, name, usage string) {
	flag.Func(name, usage+" (100e6, 10mbit, 1.5MB)", func(s string) (err error) {
		*target, err = ParseRate(s)
		return err
	})
}

var rateUnits = []struct {
	suffix string
	bits   float64
}{{"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}, {"bit", 1}}

// ParseRate parses a rate: bits per second as a plain number or in kbit, mbit, gbit, or bytes per second in the units of
// [ParseSize]. "/s" may follow. 0 is none.
func ParseRate(s string) (bits float64, err error) {
	number := strings.TrimSuffix(strings.ToLower(s), "/s")
	for _, u := range rateUnits {
		if n, ok := strings.CutSuffix(number, u.suffix); ok {
			return rate(n, u.bits)
		}
	}
	if strings.HasSuffix(number, "b") {
		for _, u := range sizeUnits {
			if n, ok := strings.CutSuffix(number, u.suffix); ok {
				return rate(n, 8*u.bytes)
			}
		}
	}
	return rate(number, 1)
}

func rate(number string, unit float64) (float64, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if f *= unit; err != nil || !(f >= 0 && !math.IsInf(f, 1)) {
		return 0, fmt.Errorf("want bits per second such as 100e6 or 10mbit, or bytes such as 1.5MB")
	}
	return f, nil
}
