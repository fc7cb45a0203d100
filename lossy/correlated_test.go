package lossy

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// lost returns which of n packets were dropped, as zeros and ones.
func lost(n int, seed uint64, m Model) []float64 {
	x := make([]float64, n)
	judgeEach(n, seed, func(i int, f fate) {
		if f.cause != "" {
			x[i] = 1
		}
	}, m)
	return x
}

// checkMean returns an error unless the mean of the samples is plausible for
// one of mean and variance, where neighbours' correlation inflates the variance of the
// sum by a factor.
func checkMean(samples []float64, mean, variance, inflation float64) error {
	sum := 0.0
	for _, s := range samples {
		sum += s
	}
	n := float64(len(samples))
	if limit := 5 * math.Sqrt(variance*inflation/n); math.Abs(sum/n-mean) > limit {
		return fmt.Errorf("the mean of %v is %.6f, want %.6f ± %.6f", n, sum/n, mean, limit)
	}
	return nil
}

// correlation returns the correlation of neighbours.
func correlation(x []float64) float64 {
	var mean, variance, product float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for i, v := range x {
		variance += (v - mean) * (v - mean)
		if i > 0 {
			product += (v - mean) * (x[i-1] - mean)
		}
	}
	return product / variance
}

// TestCorrelatedLoss checks both parameters: the share of lost packets is
// exactly p, whatever the correlation, and the correlation of neighbours is r.
func TestCorrelatedLoss(t *testing.T) {
	t.Parallel()
	const n = 1 << 20 / raceFactor
	for _, test := range []struct{ p, r float64 }{{0.1, 0.25}, {0.3, 0.6}, {0.5, 0.9}} {
		name := fmt.Sprintf("Loss(%v) with correlation %v", test.p, test.r)
		// The sum of r^k over all k, twice, inflates the variance.
		inflation := (1 + test.r) / (1 - test.r)
		plausible(t, name+": p", func(scale float64) error {
			x := lost(n, 1, Correlated(test.r, Loss(test.p*scale)))
			return checkMean(x, test.p, test.p*(1-test.p), inflation)
		})
		plausible(t, name+": r", func(scale float64) error {
			got := correlation(lost(n, 2, Correlated(test.r*scale, Loss(test.p))))
			// Bartlett's formula for a chain of the first order.
			if limit := 5 * math.Sqrt((1-test.r*test.r)/n) / math.Sqrt(test.p*(1-test.p)) / 2; math.Abs(got-test.r) > limit {
				return fmt.Errorf("the correlation is %.5f, want %.5f ± %.5f", got, test.r, limit)
			}
			return nil
		})
	}
}

// TestCorrelatedEnds: with 0 it is the plain model, with 1 all are as the
// first.
func TestCorrelatedEnds(t *testing.T) {
	const n = 10000
	plain, zero := judgeN(n, 0, 3, Loss(0.3)), judgeN(n, 0, 3, Correlated(0, Loss(0.3)))
	for i := range plain {
		if plain[i].cause != zero[i].cause {
			t.Fatalf("without correlation, packet %d has another fate", i)
		}
	}
	ones := 0
	for seed := range uint64(1000) {
		got := drops(judgeN(20, 0, seed, Correlated(1, Loss(0.3))))
		if got != 0 && got != 20 {
			t.Fatalf("seed %d: %d of 20 dropped", seed, got)
		}
		ones += got / 20
	}
	if err := checkShare(ones, 1000, 0.3); err != nil {
		t.Error(err)
	}
}

// TestCorrelatedKinds: all that choose by chance can be correlated: runs get
// longer, and as many are chosen.
func TestCorrelatedKinds(t *testing.T) {
	const n, p, r = 1 << 18 / raceFactor, 0.2, 0.7
	inflation := (1 + r) / (1 - r)
	for name, test := range map[string]struct {
		m      Model
		chosen func(c *chain, fates []fate) bool
	}{
		"Duplicate": {Duplicate(p), func(_ *chain, f []fate) bool { return len(f) > 1 }},
		"Corrupt":   {Corrupt(p), func(_ *chain, f []fate) bool { return f[0].altered != nil }},
		"Reorder":   {Reorder(p, 1, Delay(1)), func(_ *chain, f []fate) bool { return f[0].delay == 0 }},
	} {
		c := testChain(4, Correlated(r, test.m))
		f := c.flows.get(testFlow(1))
		var s Stats
		x := make([]float64, n)
		for i := range x {
			if test.chosen(c, c.judge(f, i+1, []byte("x"), 0, &s)) {
				x[i] = 1
			}
		}
		if err := checkMean(x, p, p*(1-p), inflation); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := correlation(x); math.Abs(got-r) > 0.02*math.Sqrt(raceFactor) {
			t.Errorf("%s: the correlation is %v, want %v", name, got, r)
		}
	}
}

// TestCorrelatedDelay checks that a correlated delay has the distribution of
// the plain one, and that the normal scores of neighbours correlate as they
// should.
func TestCorrelatedDelay(t *testing.T) {
	t.Parallel()
	const n = 100000 / raceFactor
	mean, stddev := 50*time.Millisecond, 10*time.Millisecond
	normal := func(d time.Duration) float64 {
		return 0.5 * math.Erfc(-float64(d-mean)/float64(stddev)/math.Sqrt2)
	}
	scores := func(r float64) []float64 {
		var z []float64
		for _, d := range delays(judgeN(n, 0, 1, Correlated(r, NormalDelay(mean, stddev)))) {
			z = append(z, float64(d-mean)/float64(stddev))
		}
		return z
	}
	plausible(t, "correlation", func(scale float64) error {
		const r = 0.8
		got := correlation(scores(r * scale))
		if limit := 5 * math.Sqrt((1-r*r)/n); math.Abs(got-r) > limit {
			return fmt.Errorf("the correlation is %.5f, want %.5f ± %.5f", got, r, limit)
		}
		return nil
	})
	// Every hundredth packet is nearly independent of the one before.
	independent := func(m Model) (d []time.Duration) {
		all := delays(judgeN(100*n/8, 0, 5, Correlated(0.9, m)))
		for i := 0; i < len(all); i += 100 {
			d = append(d, all[i])
		}
		return d
	}
	if err := checkDistribution(independent(NormalDelay(mean, stddev)), normal); err != nil {
		t.Errorf("normal: %v", err)
	}
	uniform := func(d time.Duration) float64 { return min(1, max(0, float64(d)/float64(stddev))) }
	if err := checkDistribution(independent(Jitter(0, stddev)), uniform); err != nil {
		t.Errorf("uniform: %v", err)
	}
	if err := checkDistribution(independent(ParetoDelay(mean, stddev)), paretoOf(mean, stddev)); err != nil {
		t.Errorf("Pareto: %v", err)
	}
}
