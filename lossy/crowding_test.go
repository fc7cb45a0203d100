package lossy

import (
	"fmt"
	"math"
	"math/bits"
	"testing"
	"time"
)

const assignmentWindow = 200 * time.Millisecond

func assignmentCrowding(readings ...Reading) Model {
	return Crowding(assignmentWindow, 0.1, 1.0/40, readings...)
}

// The four readings of the UDP file delivery assignment's network model.
var fourReadings = [][]Reading{
	{CountAttempts, CountEachWay},
	{CountAttempts, CountBothWays},
	{CountDeliveries, CountEachWay},
	{CountDeliveries, CountBothWays},
}

// TestCrowdingProbability has the figures of the text: none before gives the
// 0.1, 4 before give 0.2, 36 before drop everything.
func TestCrowdingProbability(t *testing.T) {
	c := crowd{base: 0.1, perPacket: 1.0 / 40}
	for n, want := range map[int]float64{0: 0.1, 4: 0.2, 20: 0.6, 35: 0.975, 36: 1, 37: 1, 1000: 1} {
		if got := c.probability(n); got < want-1e-12 || got > want+1e-12 {
			t.Errorf("probability(%d) = %v, want %v", n, got, want)
		}
	}
}

// TestCrowdingCliff is the text's "all packets will be dropped if the program
// attempts to send 36 or more packets within 200 ms". That holds when attempts
// are counted; deliveries get rarer, and so never reach 36.
func TestCrowdingCliff(t *testing.T) {
	const n = 5000
	for _, readings := range fourReadings {
		passed := func(perWindow int) int {
			fates := judgeN(n, assignmentWindow/time.Duration(perWindow), 1, assignmentCrowding(readings...))
			return n - perWindow - drops(fates[perWindow:])
		}
		if got := passed(35); got == 0 {
			t.Errorf("%v: nothing passes at 35 packets in 200 ms", readings)
		}
		got := passed(36)
		if readings[0] == CountAttempts && got != 0 {
			t.Errorf("%v: %d packets pass at 36 in 200 ms", readings, got)
		}
		if readings[0] == CountDeliveries && got == 0 {
			t.Errorf("%v: nothing passes at 36 packets in 200 ms", readings)
		}
	}
}

// TestCrowdingExample is the text's "if you deliver a packet just once every
// 50 ms, then n would be 4, so the drop probability would be 0.2".
func TestCrowdingExample(t *testing.T) {
	t.Parallel()
	for _, readings := range fourReadings {
		if err := checkCrowd(0.1, 1.0/40, assignmentCrowding(readings...), readings[0]); err != nil {
			t.Errorf("%v: %v", readings, err)
		}
		plausible(t, fmt.Sprint(readings, ": base"), func(scale float64) error {
			m := Crowding(assignmentWindow, 0.4*scale, 0.05, readings...)
			return checkCrowd(0.4, 0.05, m, readings[0])
		})
		plausible(t, fmt.Sprint(readings, ": per packet"), func(scale float64) error {
			m := Crowding(assignmentWindow, 0.1, 0.15*scale, readings...)
			return checkCrowd(0.1, 0.15, m, readings[0])
		})
	}
}

// checkCrowd sends a packet every quarter of the window and compares the
// drops with the sum of the probabilities that each packet had, given how many
// of the four before it count.
func checkCrowd(base, perPacket float64, m Model, counted Reading) error {
	const n = 1 << 17 / raceFactor
	var sum, variance float64
	var last [4]bool // whether they count
	fates := judgeN(n, assignmentWindow/4, 1, m)
	for i, f := range fates {
		p := base
		for _, counts := range last {
			if counts {
				p += perPacket
			}
		}
		sum += p
		variance += p * (1 - p)
		last[i%4] = counted == CountAttempts || f.cause == ""
	}
	if got := float64(drops(fates)); math.Abs(got-sum) > 5*math.Sqrt(variance) {
		return fmt.Errorf("%v of %d dropped, want %.0f ± %.0f", got, n, sum, 5*math.Sqrt(variance))
	}
	return nil
}

// TestCrowdingDeliveries compares the loss when deliveries are counted, at a
// packet every 50 ms, with that of the Markov chain whose states are the fates
// of the last four packets.
func TestCrowdingDeliveries(t *testing.T) {
	const n = 1 << 18 / raceFactor
	var states [16]float64
	states[0] = 1
	loss := 0.0
	for range 1000 {
		var next [16]float64
		loss = 0
		for s, p := range states {
			drop := 0.1 + float64(bits.OnesCount(uint(s)))/40
			next[s<<1&15] += p * drop
			next[s<<1&15|1] += p * (1 - drop)
			loss += p * drop
		}
		states = next
	}
	fates := judgeN(n, 50*time.Millisecond, 1, assignmentCrowding(CountDeliveries))
	// Fates are not independent, but so nearly that the bound holds.
	if err := checkShare(drops(fates), n, loss); err != nil {
		t.Error(err)
	}
}

// TestCrowdingBothWays sends a packet each way every 100 ms: each way there
// are 2 in 200 ms, and both ways 4 (or 5, for the second of an instant).
func TestCrowdingBothWays(t *testing.T) {
	const n = 1 << 17 / raceFactor
	loss := func(readings ...Reading) (first, second int) {
		c := testChain(1, assignmentCrowding(readings...))
		there := testFlow(1)
		back := flowKey{there.to, there.from}
		var s Stats
		for i := range n {
			at := time.Duration(i) * 100 * time.Millisecond
			first += drops(c.judge(c.flows.get(there), i, nil, at, &s))
			second += drops(c.judge(c.flows.get(back), i, nil, at, &s))
		}
		return first, second
	}
	for _, test := range []struct {
		reading       Reading
		first, second float64
	}{
		{CountEachWay, 0.15, 0.15},
		{CountBothWays, 0.2, 0.225},
	} {
		first, second := loss(test.reading)
		if err := checkShare(first, n, test.first); err != nil {
			t.Errorf("reading %v: there: %v", test.reading, err)
		}
		if err := checkShare(second, n, test.second); err != nil {
			t.Errorf("reading %v: back: %v", test.reading, err)
		}
	}
}

// TestCrowdingWindow checks the edges of the window: a packet exactly as old
// is counted, one a nanosecond older is not.
func TestCrowdingWindow(t *testing.T) {
	certain := func(interval time.Duration) []fate {
		return judgeN(50, interval, 1, Crowding(time.Second, 0, 1))
	}
	for i, f := range certain(time.Second) {
		if dropped := f.cause != ""; dropped != (i > 0) {
			t.Fatalf("packets a window apart: packet %d dropped: %v", i, dropped)
		}
	}
	for i, f := range certain(time.Second + 1) {
		if f.cause != "" {
			t.Fatalf("packets more than a window apart: packet %d was dropped", i)
		}
	}
}

// TestCrowdingMemory checks that the count of packets is bounded, and that
// the bound changes nothing.
func TestCrowdingMemory(t *testing.T) {
	c := &crowd{window: time.Hour, base: 0.1, perPacket: 1.0 / 40}
	x := &passage{}
	for i := range 10000 {
		x.at = time.Duration(i)
		v := c.judge(x)
		if i >= 36 && v.cause == "" {
			t.Fatalf("packet %d passed", i)
		}
	}
	if got := c.recent.count; got > 37 {
		t.Errorf("%d packets are remembered, of which 36 matter", got)
	}
	x.at = 0
	c = &crowd{window: time.Hour, base: 0.1}
	for range 1000 {
		c.judge(x)
	}
	if got := c.recent.count; got != 0 {
		t.Errorf("%d packets are remembered, of which none matters", got)
	}
}

// TestAssignment checks that the preset is what the text says.
func TestAssignment(t *testing.T) {
	const n = 1 << 18 / raceFactor
	fates := judgeN(n, 50*time.Millisecond, 9, Assignment())
	if err := checkShare(drops(fates), n, 0.2); err != nil {
		t.Error(err)
	}
	var sum float64
	passed := delays(fates)
	for _, d := range passed {
		sum += float64(d)
	}
	mean := sum / float64(len(passed)) / millisecond
	if mean < 49.9 || mean > 50.1 {
		t.Errorf("the mean delay is %.3f ms, want 50", mean)
	}
	for _, readings := range fourReadings {
		if len(flatten("test", []Model{Assignment(readings...)})) != 2 {
			t.Errorf("%v: want a loss and a delay", readings)
		}
	}
}
