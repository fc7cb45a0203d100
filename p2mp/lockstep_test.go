package p2mp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/rtt"
)

// A stepper runs a lockstep by a script, without sockets or clock.
type stepper struct {
	*lockstep
	t   *testing.T
	now time.Time
}

func newStepper(t *testing.T, receivers int, policy Policy) *stepper {
	s := &stepper{t: t, lockstep: &lockstep{policy: policy, join: 5 * time.Second, giveUp: 10 * time.Second}}
	for i := range receivers {
		s.peers = append(s.peers, steppingPeer{
			addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 7735),
			rtt:  rtt.Estimator{Config: rtt.Config{Initial: initialTimeout}},
		})
	}
	return s
}

// at moves the clock and checks the transmissions and the receivers that are given up:
// "0 1! x2" is a transmission to 0, a retransmission to 1, and 2 given up.
func (s *stepper) at(ms int, want string) (wake time.Duration) {
	s.t.Helper()
	var start time.Time
	s.now = start.Add(time.Duration(ms) * time.Millisecond)
	shots, given, _ := s.next(s.now, nil)
	var got []string
	for _, shot := range shots {
		s.sent(s.now, shot)
		what := fmt.Sprint(shot.peer)
		if shot.again {
			what += "!"
		}
		got = append(got, what)
	}
	for _, i := range given {
		got = append(got, fmt.Sprintf("x%d", i))
	}
	if got := strings.Join(got, " "); got != want {
		s.t.Errorf("at %d ms: %q, want %q", ms, got, want)
	}
	return s.wake.Sub(start)
}

func (s *stepper) ack(peer int, seq uint32, want answer) {
	s.t.Helper()
	if got, _ := s.acked(s.now, peer, seq); got != want {
		s.t.Errorf("ACK %d of receiver %d: %v, want %v", seq, peer, got, want)
	}
}

// The report, "Client", point 2: to all, again only to those that lack it, and the next
// chunk when all have it.
func TestLockstepSendsAgainOnlyToThoseThatLackIt(t *testing.T) {
	s := newStepper(t, 3, Drop)
	s.begin(s.now, false)
	s.at(0, "0 1 2")
	s.ack(0, 1, fresh)
	s.at(50, "")
	s.ack(2, 1, fresh)
	s.at(99, "")
	s.at(100, "1!")
	if s.settled() {
		t.Error("settled while receiver 1 lacks the chunk")
	}
	s.ack(1, 1, fresh)
	if !s.settled() {
		t.Error("not settled when all have the chunk")
	}
	s.begin(s.now, true)
	s.at(100, "0 1 2")
}

func TestLockstepTimers(t *testing.T) {
	t.Run("0.1 s at first, doubled while nothing is heard, at most 1 s", func(t *testing.T) {
		s := newStepper(t, 1, Drop)
		s.begin(s.now, false)
		at := 0
		s.at(at, "0")
		for _, wait := range []int{100, 200, 400, 800, 1000, 1000, 1000} {
			s.at(at+wait-1, "")
			at += wait
			s.at(at, "0!")
		}
	})
	t.Run("fixed", func(t *testing.T) {
		s := newStepper(t, 1, Drop)
		s.peers[0].rtt.Fixed = 100 * time.Millisecond
		s.begin(s.now, false)
		for ms := 0; ms < 1000; ms += 100 {
			s.at(ms, map[bool]string{true: "0", false: "0!"}[ms == 0])
			s.at(ms+99, "")
		}
	})
	t.Run("follows the measured round trip", func(t *testing.T) {
		s := newStepper(t, 1, Drop)
		s.begin(s.now, false)
		s.at(0, "0")
		s.at(10, "")
		s.ack(0, 1, fresh)
		s.begin(s.now, false)
		// SRTT 10 ms, RTTVAR 5 ms: 10 + 4*5 (RFC 6298, section 2.2).
		if wake := s.at(10, "0"); wake != 40*time.Millisecond {
			t.Errorf("timer at %v, want 40ms", wake)
		}
	})
	t.Run("Karn: what was sent twice is not measured", func(t *testing.T) {
		s := newStepper(t, 1, Drop)
		s.begin(s.now, false)
		s.at(0, "0")
		s.at(100, "0!")
		s.at(101, "")
		s.ack(0, 1, fresh)
		if rtt := s.peers[0].rtt.SRTT(); rtt != 0 {
			t.Errorf("a round trip of %v was taken from a retransmission", rtt)
		}
	})
	t.Run("an old acknowledgement ends the doubling", func(t *testing.T) {
		s := newStepper(t, 1, Drop)
		s.begin(s.now, false)
		s.at(0, "0")
		s.at(100, "0!")
		s.ack(0, 1, fresh)
		s.begin(s.now, false)
		s.at(100, "0")
		s.at(200, "0!")
		s.ack(0, 1, stale)
		s.at(400, "0!")
		if wake := s.at(400, ""); wake != 600*time.Millisecond {
			t.Errorf("timer at %v, want 600ms: doubled once", wake)
		}
	})
}

func TestLockstepAcknowledgements(t *testing.T) {
	s := newStepper(t, 2, Drop)
	s.begin(s.now, false)
	s.at(0, "0 1")
	s.ack(0, 2, future)
	s.ack(0, 1, fresh)
	s.ack(0, 1, stale)
	s.ack(1, 1, fresh)
	s.begin(s.now, false)
	s.at(1, "0 1")
	s.ack(0, 1, stale)
	if s.lacking != 2 {
		t.Errorf("%d receivers lack chunk 2, want 2", s.lacking)
	}
}

func TestLockstepGivesUp(t *testing.T) {
	t.Run("a receiver that never answers, after the join timeout", func(t *testing.T) {
		s := newStepper(t, 2, Drop)
		s.begin(s.now, false)
		s.at(0, "0 1")
		s.ack(0, 1, fresh)
		s.at(4999, "1!")
		if wake := s.at(4999, ""); wake != 5*time.Second {
			t.Errorf("wakes at %v, want 5s", wake)
		}
		s.at(5000, "x1")
		if !s.settled() || s.peers[1].state != Dropped {
			t.Errorf("settled %v, state %v", s.settled(), s.peers[1].state)
		}
		s.begin(s.now, false)
		s.at(5000, "0")
		s.ack(1, 2, stale)
		if s.settled() {
			t.Error("an acknowledgement of the dropped receiver counted")
		}
	})
	t.Run("a receiver that fell silent, after GiveUp", func(t *testing.T) {
		s := newStepper(t, 1, Drop)
		s.begin(s.now, false)
		s.at(0, "0")
		s.ack(0, 1, fresh)
		s.begin(s.now, false)
		s.at(0, "0")
		s.at(9999, "0!")
		s.at(10000, "x0")
	})
	t.Run("policy Fail", func(t *testing.T) {
		s := newStepper(t, 2, Fail)
		s.begin(s.now, false)
		s.at(0, "0 1")
		s.at(5000, "x0 x1")
		if !s.failed || !s.settled() {
			t.Errorf("failed %v, settled %v", s.failed, s.settled())
		}
	})
	t.Run("policy Wait", func(t *testing.T) {
		s := newStepper(t, 1, Wait)
		s.begin(s.now, false)
		s.at(0, "0")
		s.at(1000*3600, "0!")
		if s.settled() {
			t.Error("gave up")
		}
	})
}

// TestLockstepWaitsForTheRate: timer and patience begin when a chunk has left; and while
// others are sent to, it is not this receiver that is silent.
func TestLockstepWaitsForTheRate(t *testing.T) {
	s := newStepper(t, 3, Drop)
	for i := range s.peers {
		s.peers[i].rtt.Fixed = 3 * time.Second
	}
	start := s.now
	leaves := func(ms int, shot shot) { s.sent(start.Add(time.Duration(ms)*time.Millisecond), shot) }
	s.begin(s.now, false)
	shots, _, _ := s.next(s.now, nil)
	s.ack(0, 1, future) // it was not sent yet
	leaves(2000, shots[0])
	if a, sample := s.acked(start.Add(2010*time.Millisecond), 0, 1); a != fresh || sample != 10*time.Millisecond {
		t.Errorf("%v, a round trip of %v; want %v, 10ms", a, sample, fresh)
	}
	leaves(4000, shots[1])
	leaves(12_000, shots[2])
	s.now = start.Add(12 * time.Second)
	shots, given, _ := s.next(s.now, nil) // 1 was due at 7 s, after 3 of 5 s
	if len(shots) != 1 || shots[0] != (shot{peer: 1, again: true}) || len(given) != 0 {
		t.Fatalf("%v are sent, %v given up; want 1 to be sent again", shots, given)
	}
	leaves(14_000, shots[0])
	s.at(14_999, "")
	s.at(15_000, "2!")
	if wake := s.at(15_999, ""); wake != 16*time.Second {
		t.Errorf("wakes at %v, want 16s", wake)
	}
	s.at(16_000, "x1")
	s.at(16_999, "")
	s.at(17_000, "x2")
}

// TestLockstepSpares: what waits to be sent again is not, when it has been acknowledged.
func TestLockstepSpares(t *testing.T) {
	s := newStepper(t, 2, Drop)
	s.begin(s.now, false)
	s.at(0, "0 1")
	s.now = s.now.Add(initialTimeout)
	shots, _, _ := s.next(s.now, nil)
	s.ack(0, 1, fresh)
	for i, want := range []bool{true, false} {
		if got := s.spares(shots[i]); got != want {
			t.Errorf("receiver %d: spared %v", i, got)
		}
	}
}
