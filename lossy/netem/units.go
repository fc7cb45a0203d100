package netem

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A unit is a suffix of a number, and its factor.
type unit struct {
	name string
	is   float64
}

// split divides a number from its unit, and multiplies.
func split(word string, units []unit) (float64, error) {
	i := strings.IndexFunc(word, func(r rune) bool { return !strings.ContainsRune("0123456789.+-", r) })
	if i < 0 {
		i = len(word)
	}
	v, err := strconv.ParseFloat(word[:i], 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is not a number", word)
	}
	for _, u := range units {
		if strings.EqualFold(word[i:], u.name) {
			return v * u.is, nil
		}
	}
	if i == len(word) {
		return 0, fmt.Errorf("%q lacks a unit", word)
	}
	return 0, fmt.Errorf("%q has a unit that is not known", word)
}

// parseTime reads a time of tc's, which needs a unit unless it is 0.
func parseTime(word string) (time.Duration, error) {
	if word == "0" {
		return 0, nil
	}
	d, err := split(word, []unit{
		{"s", 1e9},
		{"sec", 1e9},
		{"secs", 1e9},
		{"ms", 1e6},
		{"msec", 1e6},
		{"msecs", 1e6},
		{"us", 1e3},
		{"usec", 1e3},
		{"usecs", 1e3},
		{"ns", 1},
		{"nsec", 1},
		{"nsecs", 1},
	})
	switch {
	case err != nil:
		return 0, err
	case d < 0:
		return 0, fmt.Errorf("%q is negative", word)
	case d >= math.MaxInt64:
		return 0, fmt.Errorf("%q is too long", word)
	}
	return time.Duration(math.Round(d)), nil
}

// parsePercent reads a percentage, and returns it as a probability.
func parsePercent(word string) (float64, error) {
	p, err := split(word, []unit{{"%", 1}, {"", 1}})
	if err == nil && !(p >= 0 && p <= 100) {
		err = fmt.Errorf("%q is not within 0 and 100%%", word)
	}
	return p / 100, err
}

// parseRate reads a rate of tc's, in bits per second.
func parseRate(word string) (float64, error) {
	units := []unit{{"", 1}}
	for i, prefix := range []string{"", "k", "m", "g", "t"} {
		decimal, binary := math.Pow(1000, float64(i)), math.Pow(1024, float64(i))
		units = append(units, unit{prefix + "bit", decimal}, unit{prefix + "bps", 8 * decimal})
		if i > 0 {
			units = append(units, unit{prefix + "ibit", binary}, unit{prefix + "ibps", 8 * binary})
		}
	}
	r, err := split(word, units)
	if err == nil && !(r > 0) {
		err = fmt.Errorf("%q is not a positive rate", word)
	}
	return r, err
}

func parseInt(word string) (int, error) {
	n, err := strconv.Atoi(word)
	if err != nil || n > math.MaxInt32 || n < math.MinInt32 {
		return 0, fmt.Errorf("%q is not a number", word)
	}
	return n, nil
}
