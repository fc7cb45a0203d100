package lossy

import (
	"flag"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// judgeN takes n packets of a flow through the models, one every interval, and
// returns the fate of each. Copies are not returned.
func judgeN(n int, interval time.Duration, seed uint64, models ...Model) []fate {
	c := testChain(seed, models...)
	f := c.flows.get(testFlow(1))
	var s Stats
	fates := make([]fate, n)
	payload := make([]byte, 1000)
	for i := range fates {
		fates[i] = c.judge(f, i+1, payload, time.Duration(i)*interval, &s)[0]
	}
	return fates
}

// judgeEach is judgeN for many packets, whose fates are looked at one by one.
func judgeEach(n int, seed uint64, see func(i int, f fate), models ...Model) {
	c := testChain(seed, models...)
	f := c.flows.get(testFlow(1))
	var s Stats
	for i := range n {
		see(i, c.judge(f, i+1, nil, 0, &s)[0])
	}
}

func testChain(seed uint64, models ...Model) *chain {
	return &chain{
		flows: flowTable{
			parts:  flatten("test", models),
			shared: make(map[*part]judge),
			seed:   seedByAddress(seed),
		},
		clock: startClock(),
	}
}

func testFlow(i int) flowKey {
	a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	return flowKey{netip.AddrPortFrom(a, 1), netip.AddrPortFrom(a, 2)}
}

// drops counts the dropped.
func drops(fates []fate) (n int) {
	for _, f := range fates {
		if f.cause != "" {
			n++
		}
	}
	return n
}

// delays returns the delays of all that were not dropped.
func delays(fates []fate) []time.Duration {
	var d []time.Duration
	for _, f := range fates {
		if f.cause == "" {
			d = append(d, f.delay)
		}
	}
	return d
}

// checkShare returns an error unless hits of n are plausible for independent
// events of probability p: within five standard deviations, which one of 1.7
// million sound generators is not.
func checkShare(hits, n int, p float64) error {
	share := float64(hits) / float64(n)
	if limit := 5 * math.Sqrt(p*(1-p)/float64(n)); math.Abs(share-p) > limit {
		return fmt.Errorf("%d of %d are %.5f, want %.5f ± %.5f", hits, n, share, p, limit)
	}
	return nil
}

// checkDistribution returns an error unless the samples are plausible for a
// distribution function, by the test of Kolmogorov and Smirnov: with 1e5
// samples, a distance of 0.0085 or more comes once in a million.
func checkDistribution(samples []time.Duration, cdf func(time.Duration) float64) error {
	slices.Sort(samples)
	n := float64(len(samples))
	distance := 0.0
	for i, s := range samples {
		p := cdf(s)
		distance = max(distance, p-float64(i)/n, float64(i+1)/n-p)
	}
	if limit := 0.0085 * math.Sqrt(1e5/n); distance > limit {
		return fmt.Errorf("the distribution of %d samples is off by %.5f, want at most %.5f", len(samples), distance, limit)
	}
	return nil
}

var power = flag.Bool("power", false, "show that statistical tests notice a parameter that is off by a twentieth")

// plausible fails the test unless check passes with 1 and, with -power, fails with
// 1.05 and 0.95: check makes and judges samples with its parameter scaled by that. It
// shows that the test would notice a parameter that is off by a twentieth.
// Under the race detector there are too few samples for -power.
func plausible(t *testing.T, what string, check func(scale float64) error) {
	t.Helper()
	if err := check(1); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if !*power {
		return
	}
	for _, scale := range []float64{0.95, 1.05} {
		if check(scale) == nil {
			t.Errorf("%s: the test does not notice a parameter scaled by %v", what, scale)
		}
	}
}

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
