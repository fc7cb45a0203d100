package rtt

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

const ms = time.Millisecond

// A step is one event of a script, and what the timer is after it.
type step struct {
	event event
	d     time.Duration // of a sample
	rto   time.Duration
}

type event int

const (
	look event = iota
	sample
	heard
	timedOut
)

func (e *Estimator) play(s step) {
	switch s.event {
	case sample:
		e.Sample(s.d)
	case heard:
		e.Heard()
	case timedOut:
		e.TimedOut()
	}
}

func TestRTO(t *testing.T) {
	for _, test := range []struct {
		name   string
		config Config
		steps  []step
	}{
		{
			name: "before the first sample",
			steps: []step{
				{look, 0, 100 * ms},
				{heard, 0, 100 * ms},
			},
		},
		{
			// Worked by hand from RFC 6298, sections 2.2 and 2.3.
			name: "samples",
			steps: []step{
				{sample, 80 * ms, 240 * ms},    // SRTT 80, RTTVAR 40
				{sample, 80 * ms, 200 * ms},    // RTTVAR 3/4*40 = 30
				{sample, 120 * ms, 215 * ms},   // RTTVAR 3/4*30 + 40/4 = 32.5, SRTT 7/8*80 + 120/8 = 85
				{sample, 45 * ms, 217500 * us}, // RTTVAR 3/4*32.5 + 40/4 = 34.375, SRTT 7/8*85 + 45/8 = 80
			},
		},
		{
			// However steady, the timer stays a granularity above SRTT.
			name:   "granularity",
			config: Config{Min: -1},
			steps: []step{
				{sample, 4 * us, 1004 * us},
				{sample, 4 * us, 1004 * us},
				{sample, 0, 1003500 * time.Nanosecond}, // SRTT 7/8*4 = 3.5 us
			},
		},
		{
			name: "floor",
			steps: []step{
				{sample, 100 * us, 2 * ms},
				{timedOut, 0, 4 * ms}, // the floor is doubled, too
				{sample, 0, 2 * ms},
			},
		},
		{
			name:   "a start of one's own",
			config: Config{Initial: 300 * ms},
			steps:  []step{{look, 0, 300 * ms}, {timedOut, 0, 600 * ms}, {sample, 40 * ms, 120 * ms}},
		},
		{
			name:   "a floor of one's own",
			config: Config{Min: 200 * ms},
			steps:  []step{{look, 0, 200 * ms}, {sample, ms, 200 * ms}, {timedOut, 0, 400 * ms}},
		},
		{
			name:   "cap",
			config: Config{Max: 300 * ms},
			steps: []step{
				{timedOut, 0, 200 * ms},
				{timedOut, 0, 300 * ms},
				{timedOut, 0, 300 * ms},
				{sample, 500 * ms, 300 * ms},
			},
		},
		{
			name:   "the cap wins",
			config: Config{Initial: 5 * time.Second, Min: 3 * time.Second, Max: 2 * time.Second},
			steps:  []step{{look, 0, 2 * time.Second}, {sample, ms, 2 * time.Second}},
		},
		{
			name:   "no cap",
			config: Config{Max: -1},
			steps: []step{
				{sample, 800 * ms, 2400 * ms},
				{timedOut, 0, 4800 * ms},
				{sample, 24 * time.Hour, time.Hour}, // counts as an hour, and the timer is one at most
			},
		},
		{
			// Rule 5.5, and the end of it by rule 5.7's note.
			name: "backoff ends with a sample",
			steps: []step{
				{sample, 40 * ms, 120 * ms}, // RTTVAR 20
				{timedOut, 0, 240 * ms},
				{timedOut, 0, 480 * ms},
				{timedOut, 0, 960 * ms},
				{timedOut, 0, time.Second},
				{sample, 40 * ms, 100 * ms}, // RTTVAR 15
			},
		},
		{
			name: "backoff ends when the peer is heard",
			steps: []step{
				{timedOut, 0, 200 * ms},
				{timedOut, 0, 400 * ms},
				{heard, 0, 100 * ms},
				{timedOut, 0, 200 * ms},
				{heard, 0, 100 * ms},
				{heard, 0, 100 * ms}, // a duplicate says no more
				{heard, 0, 100 * ms},
			},
		},
		{
			name: "a timer shorter than the round trip grows",
			steps: []step{
				{timedOut, 0, 200 * ms},
				{heard, 0, 100 * ms},
				{timedOut, 0, 200 * ms},
				{heard, 0, 100 * ms},
				{timedOut, 0, 200 * ms},
				{heard, 0, 100 * ms},
				{timedOut, 0, 200 * ms},
				{heard, 0, 100 * ms},
				{timedOut, 0, 200 * ms},
				{heard, 0, 100 * ms},
				{timedOut, 0, 200 * ms},
				{heard, 0, 200 * ms}, // the sixth
				{timedOut, 0, 400 * ms},
				{timedOut, 0, 800 * ms},
				{heard, 0, 200 * ms}, // one more, however many timeouts
				{heard, 0, 200 * ms},
				{timedOut, 0, 400 * ms},
				{heard, 0, 200 * ms},
				{timedOut, 0, 400 * ms},
				{heard, 0, 200 * ms},
				{timedOut, 0, 400 * ms},
				{heard, 0, 200 * ms},
				{timedOut, 0, 400 * ms},
				{heard, 0, 200 * ms},
				{timedOut, 0, 400 * ms},
				{heard, 0, 400 * ms}, // the twelfth
				{sample, 300 * ms, 900 * ms},
				{timedOut, 0, time.Second},
				{heard, 0, 900 * ms}, // counted anew
			},
		},
		{
			name:   "fixed",
			config: Config{Fixed: 5 * time.Second, Max: time.Second},
			steps: []step{
				{look, 0, 5 * time.Second},
				{timedOut, 0, 5 * time.Second},
				{sample, ms, 5 * time.Second},
			},
		},
		{
			name: "a negative sample is none",
			steps: []step{
				{sample, -1, 100 * ms},
				{sample, math.MinInt64, 100 * ms},
				{timedOut, 0, 200 * ms},
				{sample, -time.Hour, 100 * ms}, // but the peer was heard
				{sample, 40 * ms, 120 * ms},
				{sample, -time.Hour, 120 * ms},
			},
		},
		{
			name: "zero is a sample",
			steps: []step{
				{sample, 0, 2 * ms},
				{sample, 8 * ms, 9 * ms}, // RTTVAR 8/4 = 2, SRTT 8/8 = 1
			},
		},
		{
			name: "the longest sample",
			steps: []step{
				{sample, math.MaxInt64, time.Second},
				{sample, math.MaxInt64, time.Second},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := Estimator{Config: test.config}
			for i, s := range test.steps {
				e.play(s)
				if got := e.RTO(); got != s.rto {
					t.Fatalf("step %d: RTO = %v, want %v", i+1, got, s.rto)
				}
			}
		})
	}
}

const us = time.Microsecond

func TestMeasured(t *testing.T) {
	var e Estimator
	e.Heard()
	e.TimedOut()
	if e.Measured() || e.SRTT() != 0 || e.RTTVar() != 0 || e.MinRTT() != 0 || e.Latest() != 0 {
		t.Errorf("before a sample: %+v", e)
	}
	for _, want := range []struct{ sample, srtt, rttvar, least time.Duration }{
		{80 * ms, 80 * ms, 40 * ms, 80 * ms},
		{120 * ms, 85 * ms, 40 * ms, 80 * ms},
		{45 * ms, 80 * ms, 40 * ms, 45 * ms},
		{48 * ms, 76 * ms, 38 * ms, 45 * ms},
	} {
		e.Sample(want.sample)
		if !e.Measured() || e.Latest() != want.sample {
			t.Errorf("sample %v: Measured %v, Latest %v", want.sample, e.Measured(), e.Latest())
		}
		if e.SRTT() != want.srtt || e.RTTVar() != want.rttvar || e.MinRTT() != want.least {
			t.Errorf("sample %v: SRTT %v, RTTVAR %v, min %v; want %v, %v, %v", want.sample,
				e.SRTT(), e.RTTVar(), e.MinRTT(), want.srtt, want.rttvar, want.least)
		}
	}
}

// The estimate follows a step in the round trip even where every packet of the new
// length times out, and a lossy path of a known length costs little.
func TestFollows(t *testing.T) {
	var e Estimator
	e.Sample(10 * ms)
	const rtt = 700 * ms
	exchanges := 0
	for ; e.SRTT() < 100*ms; exchanges++ {
		if exchanges == 100 {
			t.Fatalf("after %d exchanges of %v RTO is %v", exchanges, rtt, e.RTO())
		}
		e.exchange(rtt)
	}
	t.Logf("%d exchanges", exchanges)
}

// exchange is a stop-and-wait exchange without loss.
func (e *Estimator) exchange(rtt time.Duration) {
	if e.RTO() > rtt {
		e.Sample(rtt)
		return
	}
	for waited := e.RTO(); waited <= rtt; waited += e.RTO() {
		e.TimedOut()
	}
	e.Heard()
}

// Where 64 of 100 tries fail, the time spent waiting stays near that of a timer that
// starts from the round trip each time.
func TestLossIsNoReasonToSleep(t *testing.T) {
	const seed1, seed2, rtt, exchanges = 1, 2, 20 * ms, 10_000
	rng := rand.New(rand.NewPCG(seed1, seed2))
	var e Estimator
	var waited time.Duration
	tries := 0
	for range exchanges {
		for first := true; ; first = false {
			tries++
			if rng.Float64() >= 0.64 {
				if first {
					e.Sample(rtt)
				} else {
					e.Heard()
				}
				break
			}
			waited += e.RTO()
			e.TimedOut()
		}
	}
	mean := waited / time.Duration(tries-exchanges)
	// A timer of 21 ms that doubles while nothing is heard, up to one second, costs 160
	// ms: the k-th failure of an exchange comes with probability 0.64^k, and waits 21
	// ms * 2^(k-1). Karn's algorithm costs more than 500 ms.
	if mean > 175*ms {
		t.Errorf("a failed try cost %v on average (seeds %d, %d)", mean, seed1, seed2)
	}
	t.Logf("a failed try cost %v on average", mean)
}

// Any history leaves a positive timer within its bounds.
func FuzzRTO(f *testing.F) {
	f.Add(int64(0), int64(0), int64(0), []byte{1, 2, 3, 1})
	f.Add(int64(time.Hour), int64(-1), int64(-1), []byte{3, 3, 3, 3, 3, 3, 2, 7, 9})
	f.Fuzz(func(t *testing.T, initial, least, most int64, events []byte) {
		e := Estimator{Config: Config{
			Initial: time.Duration(initial), Min: time.Duration(least), Max: time.Duration(most),
		}}
		for i, b := range events {
			e.play(step{event: event(b % 4), d: time.Duration(b)<<(i%56) - time.Duration(b>>4)})
			rto := e.RTO()
			if rto <= 0 || rto > e.ceiling() || rto < min(e.floor(), e.ceiling()) {
				t.Fatalf("RTO = %v; floor %v, ceiling %v", rto, e.floor(), e.ceiling())
			}
			if e.SRTT() < 0 || e.RTTVar() < 0 || e.MinRTT() > e.SRTT() && e.MinRTT() > e.Latest() {
				t.Fatalf("%+v", e)
			}
		}
	})
}

func TestNoAllocations(t *testing.T) {
	var e Estimator
	if n := testing.AllocsPerRun(10, func() {
		e.Sample(ms)
		e.TimedOut()
		e.Heard()
		_ = e.RTO()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
