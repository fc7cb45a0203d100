package p2mp

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// A path feeds a congestion one sample per round.
type path struct {
	congestion
	now  time.Time
	poll uint32
}

// newPath returns one with a shortest round trip of 20 ms, in the given phase.
func newPath(p phase) *path {
	w := &path{now: time.Unix(1000, 0)}
	w.phase, w.minRTT, w.minAt = p, 20*time.Millisecond, w.now
	return w
}

// round makes the answer to the next poll arrive, in which a round ends.
func (w *path) round(s sample) {
	w.poll++
	s.poll, s.nextPoll = w.poll, w.poll+1
	if s.rtt == 0 {
		s.rtt = 20 * time.Millisecond
	}
	w.now = w.now.Add(s.rtt)
	w.update(w.now, s)
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Abs(b) }

// TestStarting: the rate doubles while more arrives, for three rounds in which it does not,
// and then the queue is emptied.
func TestStarting(t *testing.T) {
	w := newPath(starting)
	if w.pace() != 0 || w.window() != firstWindow {
		t.Errorf("before anything is known: pace %v, window %d", w.pace(), w.window())
	}
	for _, tt := range []struct {
		s      sample
		phase  phase
		pace   float64
		window int
	}{
		{sample{rate: 100}, starting, 288.5, firstWindow}, // it holds two packets
		{sample{rate: 1000}, starting, 2885, 115},         // twice 2.885 times twenty
		{sample{rate: 1250}, starting, 3606.25, 144},      // a quarter more
		{sample{rate: 1500}, starting, 4327.5, 173},       // less than a quarter
		{sample{rate: 1500, limited: true}, starting, 4327.5, 173},
		{sample{rate: 1500}, starting, 4327.5, 173},
		{sample{rate: 1500, underWay: 100}, draining, 1500 / 2.885, 60 + 40},
		{sample{rate: 400, underWay: 51}, draining, 1500 / 2.885, 100}, // what it holds, and half the slack, is 50
		{sample{rate: 400, underWay: 50}, probing, 1500, 100},
	} {
		w.slack = 40
		w.round(tt.s)
		if w.phase != tt.phase || !near(w.pace(), tt.pace) || w.window() != tt.window {
			t.Errorf("round %d: phase %v, pace %v, window %d; want %v, %v, %v", w.poll, w.phase, w.pace(), w.window(), tt.phase, tt.pace, tt.window)
		}
	}
	if w.step != steady || w.stepAt != w.now {
		t.Errorf("probing begins with step %d", w.step)
	}
}

// A round that loses a quarter counts twice.
func TestStartingIntoAFullQueue(t *testing.T) {
	for _, tt := range []struct{ lost, rounds int }{{25, 3}, {26, 2}} {
		w := newPath(starting)
		w.round(sample{rate: 1000})
		rounds := 0
		for ; w.phase == starting && rounds < 10; rounds++ {
			w.round(sample{rate: 1000, delivered: 100, lost: tt.lost})
		}
		if rounds != tt.rounds {
			t.Errorf("%d lost of %d: %d rounds, want %d", tt.lost, 100+tt.lost, rounds, tt.rounds)
		}
	}
}

// TestProbingSteps: one step is faster and the next is slower, each for at least a round
// trip; then six round trips are steady. The packets of the faster step are marked.
func TestProbingSteps(t *testing.T) {
	w := newPath(probing)
	w.round(sample{rate: 5000}) // it holds a hundred
	w.stepAt = w.now
	var got []string
	for range 18 {
		w.now = w.now.Add(10 * time.Millisecond)
		pace := w.pace()
		got = append(got, fmt.Sprint(pace, w.asked(w.now)))
	}
	want := fmt.Sprint([]string{
		"6250 true", "6250 true", "4375 false", "4375 false",
		"5000 false", "5000 false", "5000 false", "5000 false", "5000 false", "5000 false",
		"5000 false", "5000 false", "5000 false", "5000 false", "5000 false", "5000 false",
		"6250 true", "6250 true",
	})
	if fmt.Sprint(got) != want {
		t.Errorf("%v\nwant\n%v", got, want)
	}
	// Where polls are rare, it does not rest longer for that.
	got = nil
	for range 7 {
		w.now = w.now.Add(200 * time.Millisecond)
		w.asked(w.now)
		got = append(got, fmt.Sprint(w.step))
	}
	if want := "[2 0 1 2 0 1 2]"; fmt.Sprint(got) != want {
		t.Errorf("steps %v, want %v", got, want)
	}
	w.phase = starting
	if !w.asked(w.now) {
		t.Error("while starting, what is sent is not more than the rate")
	}
	w.phase, w.step, w.stepAt = draining, faster, time.Time{}
	if w.asked(w.now) || w.step != faster {
		t.Errorf("while draining it goes on to step %d", w.step)
	}
}

func TestExcess(t *testing.T) {
	for content, want := range map[float64]float64{0: 1, 1: 1, 4: 1, 8: 0.5, 16: 0.25, 17: 0.25, 1000: 0.25} {
		c := congestion{minRTT: time.Second, measured: content}
		if got := c.excess(); got != want {
			t.Errorf("a path that holds %v: %v, want %v", content, got, want)
		}
	}
}

// The pace makes up for random losses, and a wrong measurement does not stop it.
func TestPace(t *testing.T) {
	for _, tt := range []struct{ rate, loss, want float64 }{
		{1000, 0, 1000},
		{1000, 0.2, 1250},
		{1000, 0.9, 2000},
		{1, 0, leastPace},
		{0, 0.5, 0},
	} {
		c := congestion{phase: probing, step: steady, loss: tt.loss, measured: tt.rate}
		if got := c.pace(); !near(got, tt.want) {
			t.Errorf("rate %v, loss %v: %v, want %v", tt.rate, tt.loss, got, tt.want)
		}
	}
}

// TestRateMemory: the highest rate of ten rounds counts, and is not forgotten while there is
// too little to send.
func TestRateMemory(t *testing.T) {
	w := newPath(probing)
	w.round(sample{rate: 1000})
	w.round(sample{rate: 900, limited: true})
	w.round(sample{rate: 1100, limited: true})
	if got := w.measured; got != 1100 {
		t.Errorf("measured %v", got)
	}
	for i := range 30 {
		w.round(sample{rate: 1, limited: true})
		if got := w.measured; got != 1100 {
			t.Errorf("after %d rounds without anything to send: %v", i+1, got)
		}
	}
	for i := range rateMemory {
		if got := w.measured; got != 1100 {
			t.Errorf("%d rounds later: %v", i, got)
		}
		w.round(sample{rate: 500})
	}
	if got := w.measured; got != 500 {
		t.Errorf("%d rounds later: %v", rateMemory, got)
	}
}

// A round is over with the answer to a poll that was sent after it began.
func TestRoundEnds(t *testing.T) {
	c := congestion{}
	for _, tt := range []struct {
		poll, next uint32
		rounds     int
	}{{1, 5, 1}, {2, 6, 1}, {4, 9, 1}, {5, 10, 2}, {12, 13, 3}, {13, 14, 4}} {
		c.update(time.Unix(0, 0), sample{poll: tt.poll, nextPoll: tt.next, rtt: 1})
		if c.round != tt.rounds {
			t.Errorf("the answer to poll %d: round %d, want %d", tt.poll, c.round, tt.rounds)
		}
	}
}

// The shortest round trip counts, of ten seconds.
func TestShortestRoundTrip(t *testing.T) {
	var c congestion
	for _, tt := range []struct{ at, rtt, want time.Duration }{
		{0, 30, 30},
		{1, 40, 30},
		{2, 20, 20},
		{11, 20, 20}, // as short, and so younger
		{21, 50, 20},
		{22, 50, 50},
		{23, 0, 0},
	} {
		c.update(time.Unix(1000, 0).Add(tt.at*time.Second), sample{rtt: tt.rtt * time.Millisecond})
		if want := max(time.Microsecond, tt.want*time.Millisecond); c.minRTT != want {
			t.Errorf("at %d s: %v, want %v", tt.at, c.minRTT, want)
		}
	}
}

// TestLearnLoss: random loss is estimated from packets that were sent no faster than the
// rate. The estimate rises slowly while a queue may be the reason.
func TestLearnLoss(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before float64
		calm   int
		phase  phase
		s      sample
		want   float64
	}{
		{"a quarter of the way", 0, 9, probing, sample{delivered: 86, lost: 10}, 10. / 96 / 4},
		{"all of it", 0, 9, probing, sample{delivered: 360, lost: 40}, 0.1},
		{"down", 0.2, 9, probing, sample{delivered: 96}, 0.15},
		{"up, with a queue", 0, calmAfter, probing, sample{delivered: 360, lost: 40}, 0.1 / 16},
		{"up, when it is gone", 0, calmAfter + 1, probing, sample{delivered: 360, lost: 40}, 0.1},
		{"down, with a queue", 0.2, 0, probing, sample{delivered: 384}, 0},
		{"sent at more", 0, 9, probing, sample{delivered: 50, lost: 50, probed: true}, 0},
		{"starting", 0, 9, starting, sample{delivered: 50, lost: 50}, 0},
		{"draining", 0, 9, draining, sample{delivered: 50, lost: 50}, 0},
		{"nothing", 0.1, 9, probing, sample{}, 0.1},
	} {
		c := congestion{phase: tt.phase, loss: tt.before, calm: tt.calm}
		if c.learnLoss(tt.s); !near(c.loss, tt.want) && math.Abs(c.loss-tt.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", tt.name, c.loss, tt.want)
		}
	}
}

func TestOverflowed(t *testing.T) {
	for _, tt := range []struct {
		got, out int
		all, of  int
		loss     float64
		want     bool
	}{
		{0, 0, 0, 1, 0, false},
		{10, 2, 2, 1, 0, false}, // one or two may be chance
		{10, 3, 3, 1, 0, true},
		{96, 4, 4, 1, 0, false}, // two of a hundred, on top of that
		{95, 5, 5, 1, 0, true},
		{76, 24, 24, 1, 0.1, false}, // and twice what is lost anyway
		{75, 25, 25, 1, 0.1, true},
		{90, 10, 1, 8, 0, false}, // eight receivers that lose 4 % have one that loses this
		{89, 11, 1, 8, 0, true},
		{79, 21, 0, 1000, 0, false},
		{78, 22, 0, 1000, 0, true},
		{79, 21, 4, 8, 0.085, false}, // which is known after a while
		{78, 22, 4, 8, 0.085, true},
		{92, 8, 4, 8, 0, false}, // what all lose is no chance
		{92, 8, 5, 8, 0, true},
	} {
		c := congestion{roundGot: tt.got, roundOut: tt.out, roundAll: tt.all, roundOf: tt.of, loss: tt.loss}
		if got := c.overflowed(); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

func TestQueueing(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		this, last time.Duration
		want       bool
	}{{20 * ms, 20 * ms, false}, {26 * ms, 26 * ms, false}, {26*ms + 1, 0, true}, {0, 26*ms + 1, true}} {
		c := congestion{minRTT: 20 * ms, roundRTT: tt.this, lastRTT: tt.last}
		if got := c.queueing(); got != tt.want {
			t.Errorf("%v, and %v before: %v", tt.this, tt.last, got)
		}
	}
}

// TestGiveWay: where a queue overflows the rate falls to three quarters, and comes back by
// one packet in a round trip, two, four, eight, until it is what arrives.
func TestGiveWay(t *testing.T) {
	const queue = 40 * time.Millisecond
	w := newPath(probing)
	w.round(sample{rate: 5000})
	w.round(sample{rate: 5000, delivered: 90, lost: 10}) // at random: the answers are fast
	if w.rate() != 5000 || w.calm != 2 {
		t.Errorf("after a loss by chance: %v, calm for %d", w.rate(), w.calm)
	}
	w.loss = 0
	w.round(sample{rate: 5000, delivered: 90, lost: 10, rtt: queue})
	if !near(w.rate(), 5000*giveWay) || w.calm != 0 {
		t.Errorf("after an overflow: %v, calm for %d", w.rate(), w.calm)
	}
	w.loss = 0
	w.round(sample{rate: 5000, delivered: 90, lost: 10}) // the round before was slow
	if !near(w.rate(), 5000*giveWay*giveWay) {
		t.Errorf("after another: %v", w.rate())
	}
	rate := 5000 * giveWay * giveWay
	for _, packets := range []float64{1, 2, 4} {
		w.round(sample{rate: 5000, delivered: 100})
		if rate += packets / 0.020; !near(w.rate(), rate) {
			t.Errorf("%v packets more: %v, want %v", packets, w.rate(), rate)
		}
	}
	w.round(sample{rate: 5000, delivered: 100, rtt: queue}) // a queue alone costs nothing
	if rate += 8 / 0.020; !near(w.rate(), rate) {
		t.Errorf("with a queue: %v, want %v", w.rate(), rate)
	}
	for range 2 {
		w.round(sample{rate: 5000, delivered: 100})
	}
	if w.rate() != 5000 || w.cap != 0 {
		t.Errorf("at the end: %v, cap %v", w.rate(), w.cap)
	}
}

// TestTurns: where receivers answer polls in turns, no step of probing ends, and no rate is
// taken for the highest, before all have answered.
func TestTurns(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, parts := range []int{0, 1, 3} {
		c := congestion{phase: probing, step: faster, stepAt: now, minRTT: time.Millisecond, parts: parts}
		polls := 0
		for at := now; c.step == faster && polls < 10; polls++ {
			at = at.Add(2 * time.Millisecond)
			c.asked(at)
		}
		if want := max(1, parts); polls != want {
			t.Errorf("%d parts: faster for %d polls, want %d", parts, polls, want)
		}
		c = congestion{parts: parts, minRTT: time.Millisecond}
		rounds := 0
		for c.phase == starting && rounds < 20 {
			rounds++
			c.update(now, sample{poll: uint32(rounds), nextPoll: uint32(rounds + 1), rtt: time.Millisecond, delivered: 10, rate: 1000})
		}
		if want := 1 + 3*max(1, parts); rounds != want {
			t.Errorf("%d parts: %d rounds at one rate, want %d", parts, rounds, want)
		}
	}
}
