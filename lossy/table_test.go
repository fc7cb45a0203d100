package lossy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// TestTableDelay checks that each entry is drawn as often as the others.
func TestTableDelay(t *testing.T) {
	const n = 1 << 19 / raceFactor
	table := []time.Duration{5, 1, 9, 9, 3}
	plausible(t, "table", func(scale float64) error {
		m := TableDelay(table)
		if scale != 1 { // another share of the entry 9
			wrong := make([]time.Duration, 100)
			for i := range wrong {
				wrong[i] = []time.Duration{1, 3, 5}[i%3]
				if i < int(40*scale) {
					wrong[i] = 9
				}
			}
			m = TableDelay(wrong)
		}
		count := make(map[time.Duration]int)
		for _, f := range judgeN(n, 0, 1, m) {
			count[f.delay]++
		}
		for d, p := range map[time.Duration]float64{1: 0.2, 3: 0.2, 5: 0.2, 9: 0.4} {
			if err := checkShare(count[d], n, p); err != nil {
				return fmt.Errorf("delay %d: %w", d, err)
			}
		}
		return nil
	})
	table[0] = 1000
	m := TableDelay([]time.Duration{7})
	for _, f := range judgeN(100, 0, 1, m) {
		if f.delay != 7 {
			t.Fatalf("a table of 7 delays by %v", f.delay)
		}
	}
}

func TestReadTable(t *testing.T) {
	got, err := readTable(strings.NewReader("# a comment 5\n 8192 -4096\n\n0 # and one\n16384"))
	if err != nil || fmt.Sprint(got) != "[1 -0.5 0 2]" {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "# nothing", "1 2 x", "NaN", "1 Inf", "1,2"} {
		if got, err := readTable(strings.NewReader(bad)); err == nil {
			t.Errorf("%q gives %v", bad, got)
		}
	}
	want := errors.New("broken")
	if _, err := readTable(iotest.ErrReader(want)); !errors.Is(err, want) {
		t.Errorf("a reader that fails: %v", err)
	}
}
