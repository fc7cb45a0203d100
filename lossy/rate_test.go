package lossy

import (
	"fmt"
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

// TestRateAfterLoss checks that the order of models matters: a packet that is lost
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

// TestRateWith checks how long packets of 1000 bytes take on a link with
// overhead and cells.
func TestRateWith(t *testing.T) {
	for _, test := range []struct {
		config RateConfig
		bytes  int
	}{
		{RateConfig{}, 1000},
		{RateConfig{Overhead: 42}, 1042},
		{RateConfig{Overhead: -100}, 900},
		{RateConfig{Overhead: -2000}, 0},
		{RateConfig{Cell: 48, CellOverhead: 5}, 21 * 53},
		{RateConfig{Overhead: 8, Cell: 48, CellOverhead: 5}, 21 * 53},
		{RateConfig{Overhead: 9, Cell: 48, CellOverhead: 5}, 22 * 53},
		{RateConfig{Cell: 100, CellOverhead: -10}, 900},
	} {
		test.config.BitsPerSecond = 8e6 // a byte takes a microsecond
		want := time.Duration(test.bytes) * time.Microsecond
		if got := judgeN(1, 0, 1, RateWith(test.config))[0].delay; got != want {
			t.Errorf("%+v: 1000 bytes take %v, want %v", test.config, got, want)
		}
	}
	// A wrong rate is noticed.
	plausible(t, "rate", func(scale float64) error {
		got := judgeN(1, 0, 1, RateWith(RateConfig{BitsPerSecond: 8e6 * scale}))[0].delay
		if (got - time.Millisecond).Abs() > 1 {
			return fmt.Errorf("1000 bytes take %v", got)
		}
		return nil
	})
}

// TestRateBytes checks the bound in bytes: it holds what waits, not what is on
// the link.
func TestRateBytes(t *testing.T) {
	config := RateConfig{BitsPerSecond: 8e6, Overhead: 24, Bytes: 3 * 1024}
	for i, f := range judgeN(10, 0, 1, RateWith(config)) {
		if want := i > 3; (f.cause == CauseQueue) != want {
			t.Errorf("packet %d of a burst: %q", i, f.cause)
		}
	}
	config.Bytes--
	if got := drops(judgeN(10, 0, 1, RateWith(config))); got != 7 {
		t.Errorf("with a byte less, %d of 10 are dropped, want 7", got)
	}
	// One on an idle link needs no queue.
	if f := judgeN(1, 0, 1, RateWith(RateConfig{BitsPerSecond: 1, Bytes: 1}))[0]; f.cause != "" {
		t.Error("a packet is dropped on an idle link")
	}
	// Room comes back when packets leave.
	if got := drops(judgeN(5000, 1024*time.Microsecond, 1, RateWith(config))); got != 0 {
		t.Errorf("%d are dropped at the rate of the link", got)
	}
	for packets, want := range map[int]int{0: 1001, -1: 3000, 7: 8} {
		m := RateWith(RateConfig{BitsPerSecond: 1e6, Packets: packets})
		if got := 3000 - drops(judgeN(3000, 0, 1, m)); got != want {
			t.Errorf("Packets: %d takes %d of a burst, want %d", packets, got, want)
		}
	}
}

// TestRateUndo: a link that takes no time, and is met twice, has nothing to give back
// the second time.
func TestRateUndo(t *testing.T) {
	l := &link{queue: 1}
	x := &passage{Packet: Packet{Payload: []byte("x")}}
	l.judge(x)
	l.judge(x)
	if x.undo(); l.loads.count != 0 || l.bytes != 0 {
		t.Errorf("a link that has nothing has %d packets, %d bytes", l.loads.count, l.bytes)
	}
}
