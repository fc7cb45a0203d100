package lossy

import (
	"fmt"
	"math"
	"testing"
)

func TestLoss(t *testing.T) {
	t.Parallel()
	for p, n := range map[float64]int{0.1: 1 << 19 / raceFactor, 0.4: 1 << 17 / raceFactor} {
		plausible(t, "Loss", func(scale float64) error {
			return checkShare(drops(judgeN(n, 0, 1, Loss(p*scale))), n, p)
		})
	}
	const n = 1 << 16 / raceFactor
	if got := drops(judgeN(n, 0, 1, Loss(0))); got != 0 {
		t.Errorf("Loss(0) dropped %d", got)
	}
	if got := drops(judgeN(n, 0, 1, Loss(1))); got != n {
		t.Errorf("Loss(1) dropped %d of %d", got, n)
	}
}

// TestLossIndependent checks that a packet's fate says nothing about the next
// one's, nor that of one flow about another's, nor one model's about another's.
func TestLossIndependent(t *testing.T) {
	const n, p = 1 << 18 / raceFactor, 0.3
	both := func(a, b []fate) (hits int) {
		for i := range a {
			if a[i].cause != "" && b[i].cause != "" {
				hits++
			}
		}
		return hits
	}
	fates := judgeN(n, 0, 1, Loss(p))
	for lag := 1; lag < 4; lag++ {
		if err := checkShare(both(fates[lag:], fates[:n-lag]), n-lag, p*p); err != nil {
			t.Errorf("packets %d apart are lost together: %v", lag, err)
		}
	}
	if err := checkShare(both(fates, judgeN(n, 0, 2, Loss(p))), n, p*p); err != nil {
		t.Errorf("packets of two seeds are lost together: %v", err)
	}
	c := testChain(1, Loss(p))
	var s Stats
	for i := range n / 8 { // the first packets of many flows
		k := testFlow(i)
		c.judge(c.flows.newFlow(k), 1, nil, 0, &s)
	}
	if err := checkShare(s.Lost, n/8, p); err != nil {
		t.Errorf("first packets: %v", err)
	}
	twice := drops(judgeN(n, 0, 1, Loss(p), Loss(p)))
	if err := checkShare(twice, n, 1-(1-p)*(1-p)); err != nil {
		t.Errorf("two losses: %v", err)
	}
}

// TestLossFixedVariates checks that a change of one model leaves another's
// decisions as they were: each takes the same random numbers.
func TestLossFixedVariates(t *testing.T) {
	const n = 10000
	lost := func(models ...Model) (at []int) {
		for i, f := range judgeN(n, 0, 7, models...) {
			if f.cause == CauseLoss {
				at = append(at, i)
			}
		}
		return at
	}
	want := lost(NormalDelay(5, 1), Jitter(0, 10), Loss(0.1))
	for _, models := range [][]Model{
		{NormalDelay(50, 20), Jitter(3, 100), Loss(0.1)},
		{Duplicate(0), Duplicate(1), Loss(0.1)},
	} {
		got := lost(models...)
		if len(got) != len(want) {
			t.Fatalf("%d lost, want %d", len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("loss %d is packet %d, want %d", i, got[i], want[i])
			}
		}
	}
}

// A geParameters are those of GilbertElliott, and its closed forms.
type geParameters struct{ p, r, h, k float64 }

func (g geParameters) model() Model { return GilbertElliott(g.p, g.r, g.h, g.k) }

func (g geParameters) bad() float64  { return g.p / (g.p + g.r) }
func (g geParameters) loss() float64 { return g.bad()*g.h + (1-g.bad())*g.k }

// inflation is by how much the variance of the number of losses exceeds that
// of independent ones.
func (g geParameters) inflation() float64 {
	lambda := 1 - g.p - g.r
	extra := 2 * lambda / (1 - lambda) * g.bad() * (1 - g.bad()) * (g.h - g.k) * (g.h - g.k)
	return 1 + extra/(g.loss()*(1-g.loss()))
}

// both is the probability that two neighbours are lost.
func (g geParameters) both() float64 {
	return g.bad()*g.h*((1-g.r)*g.h+g.r*g.k) + (1-g.bad())*g.k*(g.p*g.h+(1-g.p)*g.k)
}

// burst is how many packets in a row are lost on average, at a loss.
func (g geParameters) burst() float64 { return 1 / (1 - g.both()/g.loss()) }

// bursts returns the mean length of runs of losses.
func bursts(x []float64) float64 {
	var runs, losses float64
	for i, v := range x {
		losses += v
		if v == 1 && (i == 0 || x[i-1] == 0) {
			runs++
		}
	}
	return losses / runs
}

// TestGilbertElliott checks the loss rate and the mean burst against their
// closed forms, and that the test would notice any parameter that is off by a
// twentieth.
func TestGilbertElliott(t *testing.T) {
	t.Parallel()
	const n = 1 << 20 / raceFactor
	g := geParameters{p: 0.2, r: 0.3, h: 0.8, k: 0.2}
	check := func(m geParameters) error {
		x := lost(n, 1, m.model())
		if err := checkMean(x, g.loss(), g.loss()*(1-g.loss()), g.inflation()); err != nil {
			return err
		}
		// Runs begin independently enough; their lengths are nearly geometric.
		want := g.burst()
		runs := n * g.loss() / want
		if limit := 6 * math.Sqrt(want*want/runs); math.Abs(bursts(x)-want) > limit {
			return fmt.Errorf("the mean burst is %.4f, want %.4f ± %.4f", bursts(x), want, limit)
		}
		return nil
	}
	plausible(t, "p", func(s float64) error { return check(geParameters{g.p * s, g.r, g.h, g.k}) })
	plausible(t, "r", func(s float64) error { return check(geParameters{g.p, g.r * s, g.h, g.k}) })
	plausible(t, "h", func(s float64) error { return check(geParameters{g.p, g.r, g.h * s, g.k}) })
	plausible(t, "k", func(s float64) error { return check(geParameters{g.p, g.r, g.h, g.k * s}) })
}

// TestGilbert checks the simple model, in which a burst is a stay in the bad
// state: 1/r packets long, of geometric distribution.
func TestGilbert(t *testing.T) {
	const n = 1 << 20 / raceFactor
	g := geParameters{p: 0.01, r: 0.1, h: 1, k: 0}
	x := lost(n, 3, g.model())
	if err := checkMean(x, g.loss(), g.loss()*(1-g.loss()), g.inflation()); err != nil {
		t.Error(err)
	}
	if g.burst() < 9.999 || g.burst() > 10.001 {
		t.Fatalf("the closed form gives %v", g.burst())
	}
	if got := bursts(x); math.Abs(got-10) > 5*math.Sqrt(90/(n*g.loss()/10)) {
		t.Errorf("the mean burst is %.3f, want 10", got)
	}
}

// TestGilbertElliottFirst: the first packet of a flow is in the bad state as
// often as any other.
func TestGilbertElliottFirst(t *testing.T) {
	const n = 1 << 14
	c := testChain(1, GilbertElliott(0.02, 0.06, 1, 0))
	var s Stats
	for i := range n {
		c.judge(c.flows.newFlow(testFlow(i)), 1, nil, 0, &s)
	}
	if err := checkShare(s.Lost, n, 0.25); err != nil {
		t.Error(err)
	}
	for _, f := range judgeN(100, 0, 1, GilbertElliott(0, 0, 1, 0)) {
		if f.cause != "" {
			t.Fatal("a good state that is never left drops a packet")
		}
	}
}

// A chain4 is a FourState by its parameters p13, p31, p32, p23, p14.
type chain4 [5]float64

func (q chain4) model() Model { return FourState(q[0], q[1], q[2], q[3], q[4]) }

// steps is the matrix of the probabilities to go from state to state.
func (q chain4) steps() [4][4]float64 {
	p13, p31, p32, p23, p14 := q[0], q[1], q[2], q[3], q[4]
	return [4][4]float64{
		{1 - p13 - p14, 0, p13, p14},
		{0, 1 - p23, p23, 0},
		{p31, p32, 1 - p31 - p32, 0},
		{1, 0, 0, 0},
	}
}

// shares are those of the states in the long run, by the formula in the doc.
func (q chain4) shares() [4]float64 {
	p13, p31, p32, p23, p14 := q[0], q[1], q[2], q[3], q[4]
	x := [4]float64{1, p13 / p31 * p32 / p23, p13 / p31, p14}
	sum := x[0] + x[1] + x[2] + x[3]
	for i := range x {
		x[i] /= sum
	}
	return x
}

// pattern is the probability that three packets in a row are lost (a bit of
// 1) or pass so.
func (q chain4) pattern(bits int) float64 {
	now := q.shares()
	only := func(bit int) {
		for s := range now {
			if (s >= 2) != (bits>>bit&1 == 1) {
				now[s] = 0
			}
		}
	}
	only(2)
	for bit := 1; bit >= 0; bit-- {
		var next [4]float64
		for from, row := range q.steps() {
			for to, p := range row {
				next[to] += now[from] * p
			}
		}
		now = next
		only(bit)
	}
	return now[0] + now[1] + now[2] + now[3]
}

// TestFourState compares how often each pattern of three packets comes with
// its probability, and the loss with the formula in the doc.
func TestFourState(t *testing.T) {
	t.Parallel()
	const n = 1 << 20 / raceFactor
	base := chain4{0.2, 0.3, 0.3, 0.4, 0.3}
	check := func(q chain4) error {
		var count [8]int
		last, losses := 0, 0
		judgeEach(n, 1, func(i int, f fate) {
			last = last << 1 & 7
			if f.cause != "" {
				last++
				losses++
			}
			count[last]++
		}, q.model())
		// Neighbouring patterns overlap and are correlated: less than this.
		const inflation = 2
		for bits, c := range count {
			if err := checkShare(c/inflation, n/inflation, base.pattern(bits)); err != nil {
				return fmt.Errorf("pattern %03b: %w", bits, err)
			}
		}
		return checkShare(losses/inflation, n/inflation, base.shares()[2]+base.shares()[3])
	}
	for i, name := range []string{"p13", "p31", "p32", "p23", "p14"} {
		plausible(t, name, func(scale float64) error {
			q := base
			q[i] *= scale
			return check(q)
		})
	}
}

// TestFourStateSteps walks through the states by chosen random numbers.
func TestFourStateSteps(t *testing.T) {
	s := fourState{p13: 0.1, p31: 0.2, p32: 0.3, p23: 0.4, p14: 0.05}
	for _, test := range []struct {
		from int
		u    float64
		to   int
	}{
		{1, 0.09, 3},
		{1, 0.11, 4},
		{1, 0.16, 1},
		{4, 0, 1},
		{4, 0.99, 1},
		{3, 0.19, 1},
		{3, 0.21, 2},
		{3, 0.51, 3},
		{2, 0.39, 3},
		{2, 0.41, 2},
	} {
		s.state = test.from
		if got := s.after(test.u); got != test.to {
			t.Errorf("from state %d, %v leads to %d, want %d", test.from, test.u, got, test.to)
		}
	}
}
