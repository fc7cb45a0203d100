package lossy

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const millisecond = float64(time.Millisecond)

func scaled(d time.Duration, by float64) time.Duration { return time.Duration(float64(d) * by) }

func TestDelay(t *testing.T) {
	for _, f := range judgeN(100, 0, 1, Delay(30*time.Millisecond), Delay(12*time.Millisecond)) {
		if f.delay != 42*time.Millisecond {
			t.Fatalf("two delays of 30 and 12 ms delay by %v", f.delay)
		}
	}
}

func TestNormalDelay(t *testing.T) {
	t.Parallel()
	const n = 100000 / raceFactor
	cdf := func(mean, stddev time.Duration) func(time.Duration) float64 {
		return func(d time.Duration) float64 {
			return 0.5 * math.Erfc(-float64(d-mean)/float64(stddev)/math.Sqrt2)
		}
	}
	want := cdf(50*time.Millisecond, 10*time.Millisecond)
	plausible(t, "mean", func(scale float64) error {
		m := NormalDelay(scaled(50*time.Millisecond, scale), 10*time.Millisecond)
		return checkDistribution(delays(judgeN(n, 0, 1, m)), want)
	})
	plausible(t, "standard deviation", func(scale float64) error {
		m := NormalDelay(50*time.Millisecond, scaled(10*time.Millisecond, scale))
		return checkDistribution(delays(judgeN(n, 0, 1, m)), want)
	})
}

// TestNormalDelayTails checks the figures that the UDP file delivery
// assignment gives for its network: 68.2 % within 40 and 60 ms, and 2.2 % (2.3
// by the tables) below 30 ms and above 70 ms.
func TestNormalDelayTails(t *testing.T) {
	const n = 1 << 18 / raceFactor
	var within, below, above int
	for _, d := range delays(judgeN(n, 0, 3, NormalDelay(50*time.Millisecond, 10*time.Millisecond))) {
		switch ms := float64(d) / millisecond; {
		case ms < 30:
			below++
		case ms > 70:
			above++
		case ms >= 40 && ms <= 60:
			within++
		}
	}
	for _, test := range []struct {
		what string
		hits int
		p    float64
	}{
		{"within one deviation", within, 0.682689},
		{"two deviations below", below, 0.0227501},
		{"two deviations above", above, 0.0227501},
	} {
		if err := checkShare(test.hits, n, test.p); err != nil {
			t.Errorf("%s: %v", test.what, err)
		}
	}
}

// TestNormalDelayClamped checks that a negative delay is none.
func TestNormalDelayClamped(t *testing.T) {
	const n = 1 << 18 / raceFactor
	none := 0
	for _, d := range delays(judgeN(n, 0, 1, NormalDelay(time.Millisecond, 10*time.Millisecond))) {
		if d < 0 {
			t.Fatalf("a delay of %v", d)
		}
		if d == 0 {
			none++
		}
	}
	if err := checkShare(none, n, 0.5*math.Erfc(0.1/math.Sqrt2)); err != nil {
		t.Error(err)
	}
	for _, d := range delays(judgeN(100, 0, 1, NormalDelay(5, 0))) {
		if d != 5 {
			t.Errorf("without deviation the delay is %v, want 5ns", d)
		}
	}
	for _, d := range delays(judgeN(1000, 0, 1, NormalDelay(math.MaxInt64, math.MaxInt64))) {
		if d < 0 {
			t.Fatalf("an enormous delay became %v", d)
		}
	}
}

func TestJitter(t *testing.T) {
	t.Parallel()
	const n = 100000 / raceFactor
	least, most := 10*time.Millisecond, 30*time.Millisecond
	uniform := func(d time.Duration) float64 {
		return min(1, max(0, float64(d-least)/float64(most-least)))
	}
	plausible(t, "width", func(scale float64) error {
		m := Jitter(least, least+scaled(most-least, scale))
		return checkDistribution(delays(judgeN(n, 0, 1, m)), uniform)
	})
	for _, d := range delays(judgeN(n, 0, 1, Jitter(least, most))) {
		if d < least || d > most {
			t.Fatalf("a delay of %v is not within %v and %v", d, least, most)
		}
	}
	for _, d := range delays(judgeN(10, 0, 1, Jitter(7, 7))) {
		if d != 7 {
			t.Errorf("Jitter(7, 7) delays by %v", d)
		}
	}
}

func TestDuplicate(t *testing.T) {
	const n = 1 << 18 / raceFactor
	copies := func(models ...Model) Stats {
		c := testChain(5, models...)
		f := c.flows.get(testFlow(1))
		var s Stats
		for i := range n {
			c.judge(f, i, nil, 0, &s)
		}
		return s
	}
	plausible(t, "Duplicate", func(scale float64) error {
		return checkShare(copies(Duplicate(0.2*scale)).Copies, n, 0.2)
	})
	// The two of a pair are lost independently.
	s := copies(Duplicate(1), Loss(0.3))
	if s.Copies != n {
		t.Errorf("%d copies of %d packets", s.Copies, n)
	}
	if err := checkShare(s.Lost, 2*n, 0.3); err != nil {
		t.Errorf("loss among packets and copies: %v", err)
	}
	// A lost packet is not duplicated.
	if s := copies(Loss(1), Duplicate(1)); s.Copies != 0 {
		t.Errorf("%d copies of lost packets", s.Copies)
	}
	if s := copies(Duplicate(1), Duplicate(1)); s.Copies != 3*n {
		t.Errorf("doubled twice, there are %d copies of %d packets, want %d", s.Copies, n, 3*n)
	}
}

// paretoOf is the distribution function of ParetoDelay.
func paretoOf(mean, jitter time.Duration) func(time.Duration) float64 {
	return func(d time.Duration) float64 {
		x := float64(d-mean) / float64(jitter)
		if x <= -2.0/3 {
			return 0
		}
		return 1 - math.Pow(0.75*x+1.5, -3)
	}
}

func TestParetoDelay(t *testing.T) {
	t.Parallel()
	const n = 100000 / raceFactor
	want := paretoOf(50*time.Millisecond, 10*time.Millisecond)
	plausible(t, "mean", func(scale float64) error {
		m := ParetoDelay(scaled(50*time.Millisecond, scale), 10*time.Millisecond)
		return checkDistribution(delays(judgeN(n, 0, 1, m)), want)
	})
	plausible(t, "jitter", func(scale float64) error {
		m := ParetoDelay(50*time.Millisecond, scaled(10*time.Millisecond, scale))
		return checkDistribution(delays(judgeN(n, 0, 1, m)), want)
	})
}

// paretoNormalOf inverts the quantiles of ParetoNormalDelay by a table.
func paretoNormalOf(mean, jitter time.Duration) func(time.Duration) float64 {
	quantiles := make([]float64, 50_000)
	for i := range quantiles {
		u := (float64(i) + 0.5) / float64(len(quantiles))
		normal, pareto := math.Sqrt2*math.Erfinv(2*u-1), 4.0/3*(math.Pow(1-u, -1.0/3)-1.5)
		quantiles[i] = float64(mean) + float64(jitter)*(0.25*normal+0.75*pareto)
	}
	return func(d time.Duration) float64 {
		i, _ := slices.BinarySearch(quantiles, float64(d))
		return float64(i) / float64(len(quantiles))
	}
}

func TestParetoNormalDelay(t *testing.T) {
	t.Parallel()
	const n = 100000 / raceFactor
	want := paretoNormalOf(50*time.Millisecond, 10*time.Millisecond)
	plausible(t, "mean", func(scale float64) error {
		m := ParetoNormalDelay(scaled(50*time.Millisecond, scale), 10*time.Millisecond)
		return checkDistribution(delays(judgeN(n, 0, 1, m)), want)
	})
	plausible(t, "jitter", func(scale float64) error {
		m := ParetoNormalDelay(50*time.Millisecond, scaled(10*time.Millisecond, scale))
		return checkDistribution(delays(judgeN(n, 0, 1, m)), want)
	})
}

// tableOfTC reads a distribution table of tc, whose numbers count 8192 as one.
func tableOfTC(t *testing.T, name string) (table []float64) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		for field := range strings.FieldsSeq(line) {
			v, err := strconv.ParseFloat(field, 64)
			if err != nil {
				t.Fatal(err)
			}
			table = append(table, v/8192)
		}
	}
	return table
}

// TestDistributionsOfTC compares the closed forms with the tables that tc
// gives to the kernel, where those are installed.
func TestDistributionsOfTC(t *testing.T) {
	for name, quantile := range map[string]func(float64) float64{
		"normal":       quantileNormal,
		"pareto":       quantilePareto,
		"paretonormal": func(u float64) float64 { return quantileNormal(u)/4 + quantilePareto(u)*3/4 },
	} {
		files, _ := filepath.Glob("/usr/lib*/*/tc/" + name + ".dist")
		more, _ := filepath.Glob("/usr/lib*/tc/" + name + ".dist")
		if files = append(files, more...); len(files) == 0 {
			t.Skip("tc's tables are not installed (Debian package iproute2)")
		}
		table := tableOfTC(t, files[0])
		for i := len(table) / 100; i < len(table)*98/100; i++ {
			// The table's entries are the quantiles, give or take one step.
			low := quantile(float64(i-1) / float64(len(table)))
			high := quantile(float64(i+2) / float64(len(table)))
			if table[i] < low-0.003 || table[i] > high+0.003 {
				t.Fatalf("%s: entry %d of %d is %v, want one within %v and %v", name, i, len(table), table[i], low, high)
			}
		}
	}
}

// TestTableDelay checks that each entry is drawn as often as the others.
func TestTableDelay(t *testing.T) {
	t.Parallel()
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
