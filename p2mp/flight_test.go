package p2mp

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// A receiver set aside costs POLLs alone.
func TestAside(t *testing.T) {
	var f flight
	now := time.Unix(0, 0)
	f.begin(now, 0, 50, 50, time.Millisecond)
	sent := 0
	for range 1000 {
		switch a, seq, wake := f.act(now, 1000, true); a {
		case newChunk, oldChunk:
			if f.silent >= asideAfter {
				t.Fatal("a chunk for one that is set aside")
			}
			sent++
			f.sent(now, seq)
		case askPoll:
			f.asked(now)
		default:
			now = wake
		}
	}
	if sent == 0 || sent > 50 {
		t.Errorf("%d chunks", sent)
	}
}

// Whatever a receiver says that can be true, the counters stay right, and only chunks of
// the window are sent.
func TestFlightCounts(t *testing.T) {
	for seed := range uint64(3000 / thorough()) {
		r := rand.New(rand.NewPCG(seed, 9))
		now := time.Unix(1000, 0)
		var f flight
		total := uint32(1 + r.IntN(200))
		f.begin(now, uint32(r.IntN(3))%total, 1+r.IntN(60), 1+r.IntN(100), time.Duration(r.IntN(2))*time.Millisecond)
		for range 400 {
			a, seq, wake := f.act(now, total, true)
			switch a {
			case newChunk, oldChunk:
				if seq <= f.cum || seq > total || (a == newChunk) != (seq == f.next) {
					t.Fatal(seed, "sends", seq, "cum", f.cum, "next", f.next)
				}
				f.sent(now, seq)
			case askPoll:
				f.asked(now)
			default:
				if wake.IsZero() {
					t.Fatal(seed, "no wake")
				}
				if r.IntN(2) == 0 {
					now = wake
				}
			}
			if r.IntN(6) == 0 {
				s := status{number: uint32(r.IntN(int(f.lastPoll) + 1)), cum: uint32(r.IntN(int(f.next))), progress: progress(r.IntN(2))}
				s.held = make([]byte, r.IntN(8))
				for i := range s.held {
					s.held[i] = byte(r.Uint32() & r.Uint32())
				}
				if f.plausible(&s) {
					now = now.Add(time.Duration(r.IntN(1000)) * time.Microsecond)
					f.answer(now, &s)
				}
			}
			flyingN, missingN := 0, 0
			for seq := f.cum + 1; seq < f.next; seq++ {
				switch f.slot(seq).state {
				case flying:
					flyingN++
				case missing:
					missingN++
				}
			}
			if flyingN != f.underWay || missingN != f.missing {
				t.Fatal(seed, "flying", flyingN, f.underWay, "missing", missingN, f.missing)
			}
		}
	}
}

// newFlight returns a flight of 100 chunks at most, and the time that it begins, with a
// round trip of 20 ms.
func newFlight() (*flight, time.Time) {
	now := time.Unix(1000, 0)
	f := &flight{}
	f.begin(now, 0, 100, 100, 20*time.Millisecond)
	return f, now
}

// send sends chunks that are due, n at most, and returns their numbers; a lost one that is
// sent again has a minus.
func (f *flight) send(now time.Time, n int, total uint32) (seqs []int) {
	f.credit = n // not the pace's business here
	for range n {
		switch a, seq, _ := f.act(now, total, true); a {
		case newChunk:
			seqs = append(seqs, int(seq))
			f.sent(now, seq)
		case oldChunk:
			seqs = append(seqs, -int(seq))
			f.sent(now, seq)
		default:
			return seqs
		}
	}
	return seqs
}

// TestFlightRepeatsWhatIsLost: a chunk is sent again only if the answer to a later poll
// lacks it.
func TestFlightRepeatsWhatIsLost(t *testing.T) {
	f, now := newFlight()
	ms := func(n int) time.Time { return now.Add(time.Duration(n) * time.Millisecond) }
	expect := func(what string, got any, want string) {
		t.Helper()
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", what, got, want)
		}
	}
	expect("at first", f.send(ms(0), 6, 50), "[1 2 3 4 5 6]")
	f.asked(ms(1))
	expect("behind the poll", f.send(ms(2), 2, 50), "[7 8]")
	f.answer(ms(21), &status{number: 1, cum: 1, held: []byte{0b10100000}}) // 3 and 5
	expect("under way, lost", []int{f.underWay, f.missing, f.delivered}, "[2 3 3]")
	expect("what is lost", f.send(ms(22), 4, 50), "[-2 -4 -6 9]")
	f.answer(ms(23), &status{number: 1, cum: 1, held: []byte{0b10100000}})
	expect("the same answer again", f.send(ms(24), 1, 50), "[10]")
	f.asked(ms(25))
	f.answer(ms(45), &status{number: 2, cum: 3, held: []byte{0b11010000}}) // 5, 6, 8: 4 and 7 are not
	expect("what is lost again", f.send(ms(46), 5, 50), "[-4 -7 -9 -10 11]")
	f.answer(ms(47), &status{number: 2, cum: 6})
	expect("a chunk that is held stays so", []int{int(f.cum), f.underWay, f.missing}, "[6 4 0]")
	f.asked(ms(48))
	f.answer(ms(68), &status{number: 3, cum: 11})
	expect("all is there", []int{int(f.cum), f.underWay, f.missing, f.delivered}, "[11 0 0 11]")
	if owed := f.owed; !owed.IsZero() {
		t.Errorf("it owes something since %v", owed)
	}
}

// TestFlightPolls: a poll is sent after a number of chunks, at the end of the data, and when
// an answer is overdue. A receiver that leaves four polls unanswered is only polled.
func TestFlightPolls(t *testing.T) {
	f, now := newFlight()
	if got := len(f.send(now, 50, 1000)); got != 8 { // half of what may be under way at first
		t.Fatalf("%d chunks before the first poll", got)
	}
	if a, _, _ := f.act(now, 1000, true); a != askPoll {
		t.Fatalf("then %v", a)
	}
	f.asked(now)
	if got := len(f.send(now, 50, 1000)); got != 8 {
		t.Fatalf("%d chunks behind it", got)
	}
	f.asked(now)
	timer := f.timer.RTO()
	for i := range asideAfter {
		a, _, wake := f.act(now, 1000, true)
		if a != nothing || !wake.Equal(now.Add(timer)) {
			t.Fatalf("timer %d: %v until %v, want nothing for %v", i, a, wake.Sub(now), timer)
		}
		now = wake
		if a, _, _ := f.act(now, 1000, true); a != askPoll {
			t.Fatalf("then %v", a)
		}
		f.asked(now)
		timer = min(2*timer, time.Second)
	}
	if since, owes := f.unanswered(); f.silent != asideAfter || !owes || !since.Equal(time.Unix(1000, 0)) {
		t.Errorf("%d were unanswered, since %v", f.silent, since)
	}
	f.answer(now, &status{number: f.lastPoll, cum: 0})
	if _, owes := f.unanswered(); owes || f.silent != 0 || f.mark != f.polls[f.lastPoll%pollMemory] {
		t.Errorf("after an answer it owes %v, %d; rates begin with %v", owes, f.silent, f.mark)
	}
	if got := f.send(now, 3, 1000); fmt.Sprint(got) != "[-1 -2 -3]" {
		t.Errorf("then %v are sent", got)
	}
	// One that has all and checks is asked again only by the timer; one that has all that
	// there is, after keepAlive.
	f, now = newFlight()
	f.send(now, 3, 3)
	f.asked(now)
	f.answer(now.Add(20*time.Millisecond), &status{number: 1, cum: 3, progress: checking})
	if a, _, wake := f.act(now.Add(20*time.Millisecond), 3, true); a != nothing || wake.Sub(now) != 20*time.Millisecond+f.timer.RTO() {
		t.Errorf("while it checks: %v until %v", a, wake.Sub(now))
	}
	f, now = newFlight()
	f.send(now, 3, 3)
	f.asked(now)
	f.answer(now.Add(20*time.Millisecond), &status{number: 1, cum: 3})
	if a, _, wake := f.act(now.Add(20*time.Millisecond), 3, false); a != nothing || wake.Sub(now) != 20*time.Millisecond+keepAlive {
		t.Errorf("with nothing to send: %v until %v", a, wake.Sub(now))
	}
	if a, _, _ := f.act(now.Add(20*time.Millisecond), 3, true); a != askPoll {
		t.Errorf("at the end: %v", a)
	}
}

func TestFlightInterval(t *testing.T) {
	for _, tt := range []struct {
		rate   float64
		minRTT time.Duration
		slack  int
		want   int
	}{
		{0, 0, 0, 8},                               // half of the first window
		{1, time.Millisecond, 2, 4},                // four at the least
		{1000, 20 * time.Millisecond, 20, 30},      // half the window of 60
		{1000, 20 * time.Millisecond, 192, 96},     // a tenth of a second's
		{700, 20 * time.Millisecond, 192, 70},      // likewise
		{300, 20 * time.Millisecond, 192, 52},      // but not fewer
		{300, 150 * time.Millisecond, 192, 90},     // two round trips'
		{9600, 20 * time.Millisecond, 192, 96},     // ten milliseconds'
		{11_000, 20 * time.Millisecond, 192, 110},  // likewise
		{100_000, 20 * time.Millisecond, 192, 128}, // but not more
		{100_000, time.Millisecond, 20, 110},       // half the window of 220
		{20, 100 * time.Millisecond, 192, 52},      //
	} {
		var f flight
		f.cc = congestion{slack: tt.slack, minRTT: tt.minRTT, measured: tt.rate, step: steady}
		if f.cc.phase = probing; tt.rate == 0 {
			f.cc.phase = starting
		}
		if got := f.interval(); got != tt.want {
			t.Errorf("%v packets/s, %v, slack %d: %d, want %d", tt.rate, tt.minRTT, tt.slack, got, tt.want)
		}
	}
}

func TestFlightQuantum(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, tt := range []struct {
		pace float64
		late time.Duration // how long ago more might have left
		n    int
		next time.Duration // when more may, from now
	}{
		{0, time.Hour, 1, -time.Hour},
		{1000, 0, 1, time.Millisecond},
		{1000, 500 * time.Microsecond, 1, 500 * time.Microsecond},
		{1000, time.Hour, 1, 0}, // a millisecond is made up for
		{100, time.Hour, 1, 0},  // or one quantum
		{20_000, 0, 10, 500 * time.Microsecond},
		{20_000, time.Hour, 10, -500 * time.Microsecond},
		{128_000, 0, 32, 250 * time.Microsecond},
	} {
		var f flight
		f.cc = congestion{phase: probing, step: steady, measured: tt.pace}
		f.nextSend = now.Add(-tt.late)
		if n := f.quantum(now, f.cc.pace()); n != tt.n || f.nextSend.Sub(now) != tt.next {
			t.Errorf("%v packets/s, %v late: %d, then %v; want %d, %v", tt.pace, tt.late, n, f.nextSend.Sub(now), tt.n, tt.next)
		}
	}
}

// TestFlightRate: over the time that it took to send or to receive, whichever is longer.
func TestFlightRate(t *testing.T) {
	start := time.Unix(1000, 0)
	f := flight{cc: congestion{minRTT: 20 * time.Millisecond}}
	for _, tt := range []struct {
		at       time.Duration
		clock    uint32
		packets  int
		received int
		want     float64
	}{
		{0, 1<<32 - 5000, 120, 100, 0},                        // the first one
		{9 * time.Millisecond, 4000, 140, 120, 0},             // too soon to tell
		{10 * time.Millisecond, 1<<32 - 1000, 170, 150, 5000}, // sent in 10 ms, received in 4
		{20 * time.Millisecond, 9000, 170, 150, 0},            // nothing
		{30 * time.Millisecond, 49_000, 200, 190, 1000},       // sent in 10 ms, received in 40
		{40 * time.Millisecond, 59_000, 205, 200, 1000},       // some were sent earlier,
		{50 * time.Millisecond, 69_000, 210, 211, 1000},       // but they do not all come now
		{60 * time.Millisecond, 79_000, 230, 201, -1000},
	} {
		p := polled{number: 1, sent: start.Add(tt.at), packets: tt.packets, clock: tt.clock, received: tt.received}
		if got := f.rate(p); !near(got, tt.want) {
			t.Errorf("at %v: %v, want %v", tt.at, got, tt.want)
		}
	}
}

// TestFlightBelieves: what a receiver says has arrived, as far as it can be true.
func TestFlightBelieves(t *testing.T) {
	for _, tt := range []struct {
		packets, toGroup, delivered int
		received                    uint32
		want                        int
	}{
		{100, 0, 80, 90, 90},
		{100, 0, 80, 101, 100},
		{100, 30, 80, 125, 125}, // it hears the group
		{100, 30, 80, 131, 130},
		{100, 0, 80, 79, 80},
		{100, 0, 80, 1 << 31, 100},
		{100, 0, 80, 1<<32 - 1, 80},
	} {
		f := flight{packets: tt.packets, toGroup: tt.toGroup, delivered: tt.delivered}
		if got := f.believed(tt.received); got != tt.want {
			t.Errorf("%+v: %d", tt, got)
		}
	}
}

// TestFlightDisorder: where chunks arrive after they were sent again, they are waited for,
// up to a round trip.
func TestFlightDisorder(t *testing.T) {
	f, now := newFlight()
	srtt := f.timer.SRTT()
	for _, tt := range []struct {
		delivered, received int
		want                time.Duration
	}{
		{100, 102, 0},        // two of a hundred are not many
		{200, 205, srtt / 8}, // three more are
		{300, 305, srtt / 8}, // the same ones
		{400, 408, srtt / 4},
		{500, 511, srtt / 2},
		{600, 614, srtt},
		{700, 720, srtt},
	} {
		f.delivered = tt.delivered
		f.learnOrder(&status{received: uint32(tt.received)})
		if f.disorder != tt.want {
			t.Errorf("%d of %d twice: %v, want %v", tt.received-tt.delivered, tt.delivered, f.disorder, tt.want)
		}
	}
	f.polls[3] = polled{number: 3, sent: now.Add(srtt)}
	for _, tt := range []struct {
		sent   time.Duration
		number uint32
		want   bool
	}{{0, 3, true}, {1, 3, false}, {srtt, 3, false}, {srtt, 3 + pollMemory, true}} {
		if got := f.overdue(&slot{sent: tt.sent}, tt.number); got != tt.want {
			t.Errorf("sent at %v, poll %d: overdue %v", tt.sent, tt.number, got)
		}
	}
	f.disorder = 0
	if !f.overdue(&slot{sent: srtt}, 3) {
		t.Error("it waits though all comes in order")
	}
}

func TestFlightPlausible(t *testing.T) {
	f, now := newFlight()
	f.send(now, 8, 100)
	f.asked(now)
	for _, tt := range []struct {
		s    status
		want bool
	}{
		{status{number: 1, cum: 8}, true},
		{status{number: 2, cum: 8}, false},
		{status{number: 1, cum: 9}, true}, // a forged chunk: all that was sent is held
		{status{number: 0, cum: 0, held: []byte{0b11111100}}, true},
		{status{number: 1, cum: 7, held: []byte{0x80, 0}}, true}, // the last byte has room for more
		{status{number: 1, cum: 8, held: []byte{0x80}}, true},
		{status{number: 1, cum: 0, held: []byte{0xff, 0x80}}, true},
		{status{number: 1, cum: 0, held: []byte{0xff, 0, 0, 0}}, true},
	} {
		if got := f.plausible(&tt.s); got != tt.want || tt.s.cum > 8 {
			t.Errorf("%+v: %v", tt.s, got)
		}
	}
}

// TestFlightStalls: a receiver that answers and receives nothing is stalled. A receiver that
// does not answer, or receives something, is not.
func TestFlightStalls(t *testing.T) {
	f, now := newFlight()
	expect := func(want bool) {
		t.Helper()
		if since, got := f.stalled(); got != want || got && !since.Equal(now) {
			t.Errorf("stalled %v, since %v", got, since)
		}
	}
	expect(false)
	f.send(now, 8, 100)
	f.asked(now)
	expect(false)
	f.answer(now.Add(20*time.Millisecond), &status{number: 1})
	expect(true)
	f.send(now.Add(21*time.Millisecond), 8, 100)
	f.asked(now.Add(21 * time.Millisecond))
	now = now.Add(41 * time.Millisecond)
	f.answer(now, &status{number: 2, cum: 1})
	expect(false)
	f.answer(now.Add(time.Millisecond), &status{number: 2, cum: 1})
	expect(true)
	// Nor is one that has all it was sent, unless it was told that that is the end.
	for _, end := range []bool{false, true} {
		f, now = newFlight()
		f.send(now, 3, 3)
		number := f.asked(now)
		if end {
			f.ending(now, number)
		}
		now = now.Add(20 * time.Millisecond)
		f.answer(now, &status{number: 1, cum: 3})
		expect(false)
		f.asked(now)
		f.answer(now.Add(20*time.Millisecond), &status{number: 2, cum: 3})
		expect(end)
	}
}

// TestFlightLateAnswer: one that a later answer has overtaken tells what is held, and nothing
// of the path as it is.
func TestFlightLateAnswer(t *testing.T) {
	f, now := newFlight()
	ms := func(n int) time.Time { return now.Add(time.Duration(n) * time.Millisecond) }
	f.send(now, 4, 100)
	f.asked(now)
	f.send(now, 4, 100)
	f.asked(ms(10))
	f.answer(ms(40), &status{number: 2, cum: 2, held: []byte{0b01010000}, clock: 40_000}) // 5 and 7
	cc, mark := f.cc, f.mark
	f.answer(ms(41), &status{number: 1, cum: 2, clock: 20_000})
	if f.cc != cc || f.mark != mark {
		t.Errorf("it is measured: %+v, from %+v", f.cc, f.mark)
	}
	if f.cum != 2 || f.delivered != 4 || !f.resting || f.waiting {
		t.Errorf("it holds all up to %d, %d in all; waiting %v", f.cum, f.delivered, f.waiting)
	}
}

// TestFlightAfterOutage: the time of an outage does not count in the measured rate.
func TestFlightAfterOutage(t *testing.T) {
	for _, outage := range []bool{false, true} {
		f, now := newFlight()
		f.send(now, 8, 100)
		f.asked(now)
		now = now.Add(20 * time.Millisecond)
		f.answer(now, &status{number: 1, cum: 8, received: 8})
		f.send(now, 8, 100)
		f.asked(now)
		for outage && f.silent < asideAfter {
			a, _, wake := f.act(now, 16, false) // there is no more
			if now = wake; a == askPoll {
				f.asked(now)
			}
		}
		now = now.Add(20 * time.Millisecond)
		f.answer(now, &status{number: f.lastPoll, cum: 16, received: 16, clock: uint32(now.Sub(f.start).Microseconds())})
		if known := f.cc.measured > 0; known == outage {
			t.Errorf("outage %v: %v packets/s", outage, f.cc.measured)
		}
	}
}
