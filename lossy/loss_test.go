package lossy

import "testing"

func TestLoss(t *testing.T) {
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
