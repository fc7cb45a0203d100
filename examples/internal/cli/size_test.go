package cli

import "testing"

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{
		"1": 1, "1500000": 1500000, "1.5MB": 1500000, "4GiB": 4 << 30, "2k": 2000, "10 kb": 10000, "7B": 7,
		"": 0, "0": 0, "-1": 0, "MB": 0, "1e400": 0, "nan": 0, "1 x": 0,
	} {
		if got, err := ParseSize(s); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v, want %d", s, got, err, want)
		}
	}
}
