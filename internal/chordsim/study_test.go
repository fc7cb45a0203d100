package chordsim_test

import (
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/chordsim"
)

func TestFailures(t *testing.T) {
	for i, want := range []struct{ path, timeouts float64 }{{3.84, 0}, {4.03, .60}, {4.22, 1.17}, {4.44, 2.02}, {4.69, 3.23}, {5.09, 5.10}} {
		l := chordsim.Failures(1, 1000, 20, 10000, float64(i)/10)
		t.Logf("%d0 %%: path %.2f (%d, %d), want %.2f; timeouts %.2f (%d, %d), want %.2f; failed %d", i,
			chordsim.Mean(l.Hops), chordsim.Percentile(l.Hops, .01), chordsim.Percentile(l.Hops, .99), want.path,
			chordsim.Mean(l.Timeouts), chordsim.Percentile(l.Timeouts, .01), chordsim.Percentile(l.Timeouts, .99), want.timeouts, l.Failed)
	}
}

func TestChurn(t *testing.T) {
	for _, rate := range []float64{.05, .10, .40} {
		begin := time.Now()
		l, w := chordsim.Churn(1, 1000, 20, rate, 2*time.Hour)
		t.Logf("rate %.2f: path %.2f, timeouts %.2f, failed %d of %d; %d messages, %d alive, %v", rate, chordsim.Mean(l.Hops), chordsim.Mean(l.Timeouts), l.Failed, l.Failed+len(l.Hops), w.Messages, len(w.Alive()), time.Since(begin))
	}
}
