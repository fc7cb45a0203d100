package lossy

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestPresets(t *testing.T) {
	for _, test := range []struct {
		name       string
		least, avg time.Duration // of the delay of 1000 bytes
		loss       float64
	}{
		{"lan", 108 * time.Microsecond, 109 * time.Microsecond, 0},
		{"wifi", 0, 3300 * time.Microsecond, 0.005},
		{"lte", 0, 36 * time.Millisecond, 0},
		{"satellite", 279 * time.Millisecond, 280 * time.Millisecond, 0.00114},
		{"assignment", 0, 50 * time.Millisecond, 0.1},
	} {
		m, err := Preset(test.name)
		if err != nil {
			t.Fatal(err)
		}
		const n = 1 << 16
		fates := judgeN(n, time.Second, 1, m)
		if err := checkShare(drops(fates)/2, n/2, test.loss); err != nil && test.loss > 0 {
			t.Errorf("%s: %v", test.name, err)
		}
		var sum time.Duration
		all := delays(fates)
		for _, d := range all {
			sum += d
			if d < test.least {
				t.Fatalf("%s: a delay of %v, less than %v", test.name, d, test.least)
			}
		}
		if avg := sum / time.Duration(len(all)); math.Abs(float64(avg-test.avg)) > 0.03*float64(test.avg) {
			t.Errorf("%s: the mean delay is %v, want %v", test.name, avg, test.avg)
		}
	}
	if m, err := Preset("moon"); m != nil || err == nil || !strings.Contains(err.Error(), `"moon", only assignment, lan, lte, satellite, wifi`) {
		t.Errorf("an unknown preset: %v", err)
	}
}
