package lossy

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

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
		f, err := os.Open(files[0])
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		table, err := readTable(f)
		if err != nil {
			t.Fatal(err)
		}
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
