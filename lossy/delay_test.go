package lossy

import (
	"math"
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
	// What is lost before is not duplicated.
	if s := copies(Loss(1), Duplicate(1)); s.Copies != 0 {
		t.Errorf("%d copies of lost packets", s.Copies)
	}
	if s := copies(Duplicate(1), Duplicate(1)); s.Copies != 3*n {
		t.Errorf("doubled twice, there are %d copies of %d packets, want %d", s.Copies, n, 3*n)
	}
}
