package lossy

import (
	"math"
	"testing"
	"time"
)

// TestRateThroughput offers twice what the link carries: the queue fills, and
// from then on half is dropped and the rest leaves at exactly the rate.
func TestRateThroughput(t *testing.T) {
	const n, queue = 10000, 20
	// 8 Mbit/s are 1000 packets of 1000 bytes in a second.
	fates := judgeN(n, 500*time.Microsecond, 1, Rate(8e6, queue))
	var left []time.Duration
	for i, f := range fates {
		if f.cause == CauseQueue {
			continue
		}
		left = append(left, time.Duration(i)*500*time.Microsecond+f.delay)
		if most := (queue + 1) * time.Millisecond; f.delay > most {
			t.Fatalf("packet %d is delayed by %v, more than a full queue's %v", i, f.delay, most)
		}
	}
	for i := range left {
		if want := time.Duration(i+1) * time.Millisecond; left[i] != want {
			t.Fatalf("packet %d leaves at %v, want %v", i, left[i], want)
		}
	}
	if got, want := drops(fates), n-len(left); got != want || got < n/2-2*queue || got > n/2 {
		t.Errorf("%d of %d dropped, %d left", got, n, len(left))
	}
}

// TestRateQueue sends bursts: one packet is on the link, the queue holds as
// many as it says, and the tail is dropped.
func TestRateQueue(t *testing.T) {
	for _, queue := range []int{0, 1, 5, 100} {
		fates := judgeN(300, 0, 1, Rate(8e6, queue))
		for i, f := range fates {
			switch {
			case i <= queue && f.delay != time.Duration(i+1)*time.Millisecond:
				t.Errorf("queue %d: packet %d is delayed by %v (%s)", queue, i, f.delay, f.cause)
			case i > queue && f.cause != CauseQueue:
				t.Errorf("queue %d: packet %d of a burst was not dropped", queue, i)
			}
		}
	}
	// Packets exactly as far apart as the link needs never queue.
	for i, f := range judgeN(100, time.Millisecond, 1, Rate(8e6, 0)) {
		if f.delay != time.Millisecond {
			t.Fatalf("packet %d is delayed by %v (%s), want 1ms", i, f.delay, f.cause)
		}
	}
	// A link that has been idle begins at once.
	for i, f := range judgeN(100, time.Second, 1, Rate(8e6, 0)) {
		if f.delay != time.Millisecond {
			t.Fatalf("packet %d is delayed by %v (%s), want 1ms", i, f.delay, f.cause)
		}
	}
}

// TestRateFractions checks that rounding to nanoseconds does not add up.
func TestRateFractions(t *testing.T) {
	const n = 100000
	const rate = 3e9 // 2666.67 ns for each packet of 1000 bytes
	fates := judgeN(n, 0, 1, Rate(rate, n))
	want := time.Duration(math.Floor(n * 8000 / rate * 1e9))
	if got := fates[n-1].delay; got < want-1 || got > want {
		t.Errorf("%d packets take %v, want %v", n, got, want)
	}
}

func TestRateExtremes(t *testing.T) {
	if f := judgeN(10, 0, 1, Rate(math.SmallestNonzeroFloat64, 100)); f[0].delay <= 0 || f[9].delay < f[0].delay {
		t.Errorf("at no rate at all packets take %v and %v", f[0].delay, f[9].delay)
	}
	if f := judgeN(10, 0, 1, Rate(math.MaxFloat64, 100)); f[9].delay != 0 || f[9].cause != "" {
		t.Errorf("at any rate a packet takes %v (%s)", f[9].delay, f[9].cause)
	}
}

// TestRateShared checks what Shared changes: two flows have a link each, or
// one together.
func TestRateShared(t *testing.T) {
	last := func(m Model) time.Duration {
		c := testChain(1, m)
		var s Stats
		var d time.Duration
		for i := range 10 {
			f := c.flows.get(testFlow(i % 2))
			d = c.judge(f, 1+i/2, make([]byte, 1000), 0, &s)[0].delay
		}
		return d
	}
	if got, want := last(Rate(8e6, 100)), 5*time.Millisecond; got != want {
		t.Errorf("the last of 5 packets on a link takes %v, want %v", got, want)
	}
	if got, want := last(Shared(Rate(8e6, 100))), 10*time.Millisecond; got != want {
		t.Errorf("the last of 10 packets on a shared link takes %v, want %v", got, want)
	}
	if got, want := last(Compose(Delay(1), Shared(Compose(Rate(8e6, 100), Delay(2))))), 10*time.Millisecond+3; got != want {
		t.Errorf("composed, it takes %v, want %v", got, want)
	}
}

// TestRateAfterLoss checks that the order of models matters: what is lost
// before the queue takes no place in it.
func TestRateAfterLoss(t *testing.T) {
	even := DropIf(func(p Packet) bool { return p.N%2 == 0 })
	lostBefore := judgeN(20, 0, 1, even, Rate(8e6, 100))
	if got, want := lostBefore[18].delay, 10*time.Millisecond; got != want {
		t.Errorf("behind 9 others a packet takes %v, want %v", got, want)
	}
	lostAfter := judgeN(20, 0, 1, Rate(8e6, 100), even)
	if got, want := lostAfter[18].delay, 19*time.Millisecond; got != want {
		t.Errorf("behind 18 others a packet takes %v, want %v", got, want)
	}
}
