package lossy

import (
	"testing"
	"time"
)

func TestReorder(t *testing.T) {
	t.Parallel()
	const n = 1 << 18 / raceFactor
	late := func(fates []fate) (n int) {
		for _, f := range fates {
			if f.delay > 0 {
				n++
			}
		}
		return n
	}
	plausible(t, "p", func(scale float64) error {
		return checkShare(n-late(judgeN(n, 0, 1, Reorder(0.25*scale, 1, Delay(10)))), n, 0.25)
	})
	for i, f := range judgeN(100, 0, 1, Reorder(1, 5, Delay(10), Delay(5)), Delay(1)) {
		want := time.Duration(16)
		if i%5 == 4 {
			want = 1
		}
		if f.delay != want {
			t.Fatalf("with a gap of 5, packet %d is delayed by %d, want %d", i+1, f.delay, want)
		}
	}
	// With a gap of 4, 3 packets are late, and then one with probability p
	// after another is not: 3 + 1/p to a round.
	plausible(t, "gap", func(scale float64) error {
		return checkShare(n-late(judgeN(n, 0, 1, Reorder(0.25*scale, 4, Delay(10)))), n, 1/(3+1/0.25))
	})
	// A copy made within goes on behind what was passed by.
	if got := len(judgeAll(1, Reorder(0, 1, Duplicate(1), Duplicate(1)), Delay(1))); got != 4 {
		t.Errorf("%d copies, want 4", got)
	}
	if got := len(judgeAll(1, Reorder(1, 1, Duplicate(1), Duplicate(1)), Delay(1))); got != 1 {
		t.Errorf("%d copies of what went past, want 1", got)
	}
}

// judgeAll returns the fates of the first packet of a flow and of its copies.
func judgeAll(seed uint64, models ...Model) []fate {
	c := testChain(seed, models...)
	var s Stats
	return c.judge(c.flows.get(testFlow(1)), 1, nil, 0, &s)
}

// TestInOrder checks that jitter reorders without it and not with it, and that
// it delays no more than it must.
func TestInOrder(t *testing.T) {
	const n = 10000
	reordered := func(models ...Model) (count int, fates []fate) {
		fates = judgeN(n, time.Millisecond, 1, models...)
		last := time.Duration(0)
		for i, f := range fates {
			leaves := time.Duration(i)*time.Millisecond + f.delay
			if leaves < last {
				count++
			}
			last = max(last, leaves)
		}
		return count, fates
	}
	jitter := Jitter(0, 10*time.Millisecond)
	wild, before := reordered(jitter)
	if wild < n/10 {
		t.Fatalf("only %d of %d are reordered without", wild, n)
	}
	tame, after := reordered(jitter, InOrder())
	if tame != 0 {
		t.Errorf("%d are reordered", tame)
	}
	last := time.Duration(0)
	for i := range after {
		at := time.Duration(i) * time.Millisecond
		last = max(last, at+before[i].delay)
		if at+after[i].delay != last {
			t.Fatalf("packet %d leaves at %v, want %v", i, at+after[i].delay, last)
		}
	}
}
