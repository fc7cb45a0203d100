package octoput

import (
	"testing"
	"time"
)

// A script drives an sendState by hand, in milliseconds.
type script struct {
	t *testing.T
	*sendState
	start time.Time
}

func newScript(t *testing.T, size int64) *script {
	s := &script{t: t, start: time.Unix(0, 0), sendState: &sendState{plan: plan(size), join: time.Second, giveUp: 2 * time.Second}}
	s.begin(s.start)
	return s
}

func (s *script) at(ms int) time.Time { return s.start.Add(time.Duration(ms) * time.Millisecond) }

// wants fails the test unless the next order at this time is want.
func (s *script) wants(ms int, want order) {
	s.t.Helper()
	got, _, given := s.next(s.at(ms))
	if got != want || given {
		s.t.Fatalf("at %d ms: %+v, given up %v; want %+v", ms, got, given, want)
	}
}

// rests fails the test if there is an order before the time until.
func (s *script) rests(ms, until int) {
	s.t.Helper()
	got, wake, given := s.next(s.at(ms))
	if got.kind != 0 || given || !wake.Equal(s.at(until)) {
		s.t.Fatalf("at %d ms: %+v, given up %v, until %v; want nothing until %d ms", ms, got, given, wake.Sub(s.start), until)
	}
}

func (s *script) gets(ms int, block uint64, legs Legs, want answer) {
	s.t.Helper()
	if got, _ := s.acked(s.at(ms), block, legs); got != want {
		s.t.Fatalf("at %d ms, an ACK of %d %v: %v, want %v", ms, block, legs, got, want)
	}
}

// goes acknowledges what is in flight, and goes on.
func (s *script) goes(ms int) {
	s.t.Helper()
	s.gets(ms, s.number(), AllLegs, complete)
	s.forward(s.at(ms))
}

// opened is a script whose first octoblock is in flight since 10 ms, and whose timer is
// at 40.
func opened(t *testing.T, size int64) *script {
	s := newScript(t, size)
	s.wants(0, order{kind: Open, legs: AllLegs})
	s.goes(10)
	s.wants(10, order{kind: Leg, legs: AllLegs})
	return s
}

func TestSendStateFromBeginToEnd(t *testing.T) {
	s := opened(t, 2*BlockSize+9)
	for n := uint64(1); n <= 4; n++ {
		if s.number() != n || s.block != plan(2*BlockSize+9).block(n) {
			t.Fatalf("octoblock %d is %+v", n, s.block)
		}
		s.goes(10 + 10*int(n))
		if n < 4 {
			s.wants(10+10*int(n), order{kind: Leg, legs: AllLegs})
		}
	}
	if s.number() != 5 {
		t.Errorf("the FIN has number %d, want 5", s.number())
	}
	s.wants(50, order{kind: Fin, legs: AllLegs})
	s.goes(60)
	if s.phase != over {
		t.Errorf("phase %d, want over", s.phase)
	}
	if got, _, given := s.next(s.at(10_000_000)); got.kind != 0 || given {
		t.Errorf("afterwards: %+v, %v", got, given)
	}
}

func TestSendStateEmptyFile(t *testing.T) {
	s := newScript(t, 0)
	s.wants(0, order{kind: Open, legs: AllLegs})
	s.goes(1)
	if s.number() != 1 {
		t.Errorf("the FIN has number %d, want 1", s.number())
	}
	s.wants(1, order{kind: Fin, legs: AllLegs})
}

// At a timeout all that is missing is sent again, and the timer doubles while nothing
// is heard.
func TestSendStateTimeout(t *testing.T) {
	s := opened(t, BlockSize)
	s.rests(39, 40) // 10 + 10 + 4*5
	s.wants(40, order{kind: Leg, legs: AllLegs, again: true, timeout: true})
	s.rests(99, 100)
	s.gets(99, 1, 0b11100000, fresh) // what was sent later did not arrive: no losses to be seen
	s.rests(99, 100)
	s.wants(100, order{kind: Leg, legs: 0b00011111, again: true, timeout: true})
	s.gets(101, 1, 0b11111110, fresh)
	s.wants(160, order{kind: Leg, legs: 0b00000001, twice: 0b00000001, again: true, timeout: true})
}

// When a later octoleg is acknowledged, the missing earlier one is retransmitted at once.
// Further acknowledgements with the same content cause no retransmission.
func TestSendStateGap(t *testing.T) {
	s := opened(t, BlockSize)
	s.gets(20, 1, 0b11010000, fresh)
	s.wants(20, order{kind: Leg, legs: 0b00100000, again: true})
	s.gets(20, 1, 0b11010000, stale)
	s.gets(20, 1, 0b11011111, fresh)
	s.rests(20, 45) // 10 + 4*3.75
	s.gets(30, 1, 0b11111111, complete)
}

// An acknowledgement sooner than a round trip after a retransmission shows that the octoleg
// was late, not lost. After that the sender waits before it takes a gap for a loss.
func TestSendStateReordering(t *testing.T) {
	s := opened(t, 2*BlockSize)
	s.gets(20, 1, 0b01000000, fresh)
	s.wants(20, order{kind: Leg, legs: 0b10000000, again: true})
	s.gets(22, 1, 0b11000000, fresh)
	if s.slack != 2500*time.Microsecond {
		t.Errorf("slack %v, want a quarter of the round trip", s.slack)
	}
	s.goes(23)
	s.wants(23, order{kind: Leg, legs: AllLegs})
	s.gets(33, 2, 0b01111111, fresh)
	got, wake, _ := s.next(s.at(33))
	if want := s.at(23).Add(s.rtt.SRTT() + s.slack); got.kind != 0 || !wake.Equal(want) {
		t.Fatalf("%+v until %v, want nothing until %v", got, wake.Sub(s.start), want.Sub(s.start))
	}
	if got, _, _ := s.next(wake); got != (order{kind: Leg, legs: 0b10000000, again: true}) {
		t.Errorf("then %+v", got)
	}
}

// The acknowledgement of a retransmission is no sample (Karn), nor is that of a FIN.
func TestSendStateSamples(t *testing.T) {
	s := newScript(t, BlockSize)
	s.wants(0, order{kind: Open, legs: AllLegs})
	s.wants(100, order{kind: Open, legs: AllLegs, again: true, timeout: true})
	s.goes(101)
	if s.rtt.Measured() {
		t.Error("the answer to a repeated OPEN was measured")
	}
	s.wants(101, order{kind: Leg, legs: AllLegs})
	s.gets(111, 1, 0b11011111, fresh)
	if got := s.rtt.SRTT(); got != 10*time.Millisecond {
		t.Errorf("round trip %v, want 10ms", got)
	}
	s.wants(111, order{kind: Leg, legs: 0b00100000, again: true})
	s.goes(151)
	s.wants(151, order{kind: Fin, legs: AllLegs})
	s.goes(900)
	if got := s.rtt.SRTT(); got != 10*time.Millisecond {
		t.Errorf("round trip %v, want 10ms still", got)
	}
}

func TestSendStateOddAcknowledgements(t *testing.T) {
	s := newScript(t, 2*BlockSize)
	s.gets(0, 0, AllLegs, future) // of an OPEN that was not sent
	s.wants(0, order{kind: Open, legs: AllLegs})
	s.gets(1, 1, AllLegs, future)
	s.gets(1, 0, 0b11111110, odd)
	s.goes(1)
	s.gets(1, 1, AllLegs, future)
	s.wants(1, order{kind: Leg, legs: AllLegs})
	s.gets(2, 0, AllLegs, stale)
	s.gets(2, 2, AllLegs, future)
	s.gets(2, 3, AllLegs, future)
	s.goes(2)
	s.wants(2, order{kind: Leg, legs: AllLegs})
	s.gets(3, 1, AllLegs, stale)
	s.gets(3, 2, 0b00000001, fresh)
	s.gets(3, 2, 0b00000001, stale)
	s.goes(3)
	s.wants(3, order{kind: Fin, legs: AllLegs})
	s.gets(4, 3, 0b01111111, odd)
	s.gets(4, 4, AllLegs, future)
	s.goes(4)
	s.gets(5, 3, AllLegs, stale)
}

// A receiver is given up when it tells nothing new for long enough; that it says
// something is not enough.
func TestSendStateGivesUp(t *testing.T) {
	for _, tt := range []struct {
		name     string
		until    func(*script)
		patience int // milliseconds after the last 10
		talks    bool
	}{
		{"before the first answer", func(*script) {}, 1000 - 10, false},
		{"in an octoblock", func(s *script) { s.goes(10) }, 2000, false},
		{"in an octoblock, talking", func(s *script) { s.goes(10) }, 2000, true},
		{"at the end", func(s *script) { s.goes(5); s.next(s.at(5)); s.goes(10) }, 30_000, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t, 8)
			s.next(s.at(0))
			tt.until(s)
			end := s.at(10 + tt.patience)
			for now := s.at(10); now.Before(end); {
				_, wake, given := s.next(now)
				if given || wake.After(end) {
					t.Fatalf("after %v: given up %v, wake at %v", now.Sub(s.start), given, wake.Sub(s.start))
				}
				if tt.talks {
					s.acked(now, 0, AllLegs)
				}
				if wake.Equal(now) {
					t.Fatalf("after %v: nothing to wait for", now.Sub(s.start))
				}
				now = wake
			}
			if _, _, given := s.next(end); !given {
				t.Errorf("after %v: not given up", end.Sub(s.start))
			}
		})
	}
}

// Every octoleg that arrives is reason to wait as long again.
func TestSendStateWaitsForProgress(t *testing.T) {
	s := opened(t, BlockSize)
	for n := range LegsPerBlock - 1 {
		now := 10 + 1999*(n+1)
		if _, _, given := s.next(s.at(now)); given {
			t.Fatalf("given up after %d octolegs, at %d ms", n, now)
		}
		s.gets(now, 1, Nth(n+1), fresh)
	}
}

// What a receiver asked for is offered once for every time that it asks, by no timer.
func TestSendStateAsked(t *testing.T) {
	s := newScript(t, 8)
	s.sendState.asked = true
	s.wants(0, order{kind: Open, legs: AllLegs})
	s.rests(900, 1000)
	if got := s.repeat(s.at(900)); got != (order{kind: Open, again: true}) {
		t.Errorf("asked again: %+v", got)
	}
	s.goes(950)
	if s.rtt.Measured() {
		t.Error("the time that a receiver takes to answer an answer was measured")
	}
	if got := s.repeat(s.at(950)); got.kind != 0 {
		t.Errorf("asked again after the acknowledgement: %+v", got)
	}
	s.wants(950, order{kind: Leg, legs: AllLegs})
}
