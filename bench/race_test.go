package bench

import (
	"slices"
	"testing"
	"time"
)

// A contender is one of the functions in a race.
type contender struct {
	name string
	run  func() // does the work once
}

// turn is how long one contender runs before it is the next one's turn: long against the clock's
// resolution, short against what else the machine does.
const turn = 50 * time.Microsecond

// race lets the contenders run in turns, so that whatever slows the machine down slows all of them.
// It reports the median time of each as NAME-ns, and by how much that of each later one
// exceeds that of the first as NAME/FIRST. One iteration of b is one turn each.
func race(b *testing.B, contenders ...contender) {
	b.Helper()
	repeats := make([]int, len(contenders))
	times := make([][]float64, len(contenders))
	for i, c := range contenders {
		repeats[i] = repeatsPerTurn(c.run)
	}
	for b.Loop() {
		for i, c := range contenders {
			times[i] = append(times[i], timed(c.run, repeats[i]))
		}
	}
	first := median(times[0])
	for i, c := range contenders {
		m := median(times[i])
		b.ReportMetric(m, c.name+"-ns")
		if i > 0 {
			b.ReportMetric(m/first, c.name+"/"+contenders[0].name)
		}
	}
	b.ReportMetric(0, "ns/op") // of all turns together: not shown
}

// repeatsPerTurn returns how often run has to be called to fill a turn.
func repeatsPerTurn(run func()) int {
	for n := 1; ; n *= 2 {
		if timed(run, n)*float64(n) >= float64(turn) {
			return n
		}
	}
}

// timed calls run n times and returns the nanoseconds that one call took.
func timed(run func(), n int) float64 {
	start := time.Now()
	for range n {
		run()
	}
	return float64(time.Since(start)) / float64(n)
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}
