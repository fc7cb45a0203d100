package chordsim_test

import (
	"flag"
	"math"
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/chordsim"
)

var long = flag.Bool("long", false, "run the experiments at the size of the paper")

// size is n in the long run, and n/10 otherwise.
func size(n int) int {
	if *long {
		return n
	}
	return n / 10
}

// TestFailures repeats table II of the paper: look-ups in a ring of 1000 nodes with lists of 20, after a
// part of the nodes has failed at once. The paper's look-ups contact a few more dead nodes:
// they do not have four candidates to choose from.
func TestFailures(t *testing.T) {
	for i, want := range []struct{ path, timeouts float64 }{{3.84, 0}, {4.03, .60}, {4.22, 1.17}, {4.44, 2.02}, {4.69, 3.23}, {5.09, 5.10}} {
		l := chordsim.Failures(1, 1000, 20, size(10000), float64(i)/10)
		path, timeouts := chordsim.Mean(l.Hops), chordsim.Mean(l.Timeouts)
		t.Logf("%d0 %% failed: path %.2f (paper %.2f), timeouts %.2f (%.2f)", i, path, want.path, timeouts, want.timeouts)
		if l.Failed > 0 || math.Abs(path/want.path-1) > 0.10 || timeouts > want.timeouts*1.10 {
			t.Errorf("%d0 %% failed: %d look-ups failed, path %.2f, want %.2f, timeouts %.2f, want %.2f at most", i, l.Failed, path, want.path, timeouts, want.timeouts)
		}
	}
}

// TestChurn repeats table III: a look-up each second while nodes join and fail.
func TestChurn(t *testing.T) {
	for _, row := range []struct{ rate, path, timeouts float64 }{{.05, 3.90, .05}, {.20, 3.81, .23}, {.40, 4.06, .46}} {
		l, w := chordsim.Churn(1, 1000, 20, row.rate, time.Duration(size(7200))*time.Second)
		path, timeouts := chordsim.Mean(l.Hops), chordsim.Mean(l.Timeouts)
		t.Logf("rate %.2f: path %.2f (paper %.2f), timeouts %.2f (%.2f), %d of %d failed, %d messages", row.rate, path, row.path, timeouts, row.timeouts, l.Failed, l.Failed+len(l.Hops), w.Messages)
		if l.Failed > 0 || math.Abs(path/row.path-1) > 0.10 || timeouts > row.timeouts*1.10 {
			t.Errorf("rate %.2f: %d look-ups failed, path %.2f, want %.2f, timeouts %.2f, want %.2f at most", row.rate, l.Failed, path, row.path, timeouts, row.timeouts)
		}
	}
}

// TestSameSeed: the same seed gives the same messages at the same times.
func TestSameSeed(t *testing.T) {
	_, a := chordsim.Churn(5, 200, 8, .2, 5*time.Minute)
	_, b := chordsim.Churn(5, 200, 8, .2, 5*time.Minute)
	_, c := chordsim.Churn(6, 200, 8, .2, 5*time.Minute)
	if a.Trace() != b.Trace() || a.Trace() == c.Trace() {
		t.Errorf("traces %x, %x with the same seed, %x with another", a.Trace(), b.Trace(), c.Trace())
	}
}

// TestLoad: with 20 virtual nodes each, no node has many more keys than the mean.
func TestLoad(t *testing.T) {
	for _, row := range []struct {
		virtual  int
		p99, max float64
	}{{1, 4.6, 9.1}, {20, 1.6, 2.2}} {
		load := chordsim.Load(1, 10000, row.virtual, 500_000)
		mean := chordsim.Mean(load)
		p99, most := float64(chordsim.Percentile(load, .99))/mean, float64(chordsim.Percentile(load, 1))/mean
		t.Logf("%d virtual nodes: 99th percentile %.2f of the mean (paper %.1f), maximum %.2f (paper %.1f)", row.virtual, p99, row.p99, most, row.max)
		if math.Abs(p99/row.p99-1) > 0.10 || most > row.max*1.25 {
			t.Errorf("%d virtual nodes: %.2f and %.2f", row.virtual, p99, most)
		}
	}
}

func BenchmarkChurn(b *testing.B) {
	for b.Loop() {
		chordsim.Churn(1, 1000, 20, 1, 5*time.Minute)
	}
}
