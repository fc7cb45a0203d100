package relay

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/ferrygo/ferry"
)

const ms = time.Millisecond

// A script drives a dialogue, with times in ms since its beginning.
type script struct {
	*testing.T
	d    dialogue
	zero time.Time
	now  time.Time
}

func newScript(t *testing.T) *script {
	zero := time.Unix(1000, 0)
	return &script{T: t, zero: zero, now: zero, d: dialogue{
		other: netip.MustParseAddrPort("192.0.2.1:9"), session: 1,
		join: 30 * time.Second, giveUp: 10 * time.Second, parting: 2 * time.Second,
	}}
}

func (s *script) at(d time.Duration) *script {
	s.now = s.zero.Add(d)
	return s
}

// next checks the message that is sent now, and the next wake-up (-1: never).
func (s *script) next(send, again bool, wake time.Duration) {
	s.Helper()
	gotSend, gotAgain, at, err := s.d.next(s.now)
	got := at.Sub(s.zero)
	if at.IsZero() {
		got = -1
	}
	if gotSend != send || gotAgain != again || got != wake || err != nil {
		s.Errorf("at %v: send %v, again %v, wake %v, %v; want %v, %v, %v", s.now.Sub(s.zero), gotSend, gotAgain, got, err, send, again, wake)
	}
}

func (s *script) fails(want error) {
	s.Helper()
	_, _, _, err := s.d.next(s.now)
	var peer *PeerError
	if !errors.As(err, &peer) || !errors.Is(err, want) || peer.Addr != s.d.other {
		s.Errorf("at %v: %v, want %v", s.now.Sub(s.zero), err, want)
	}
}

func (s *script) arrives(p Packet, want verdict, wantErr error) {
	s.Helper()
	if got, err := s.d.arrived(s.now, p); got != want || !errors.Is(err, wantErr) {
		s.Errorf("at %v: %v %d is %v, %v; want %v, %v", s.now.Sub(s.zero), p.Kind, p.Number, got, err, want, wantErr)
	}
}

func (s *script) over(want bool) {
	s.Helper()
	if got := s.d.over(s.now); got != want {
		s.Errorf("at %v: over %v, want %v", s.now.Sub(s.zero), got, want)
	}
}

func ack(n uint32) Packet { return Packet{Kind: Ack, Session: 1, Number: n} }
func say(n uint32, text string) Packet {
	return Packet{Kind: Say, Session: 2, Number: n, Text: []byte(text)}
}

func TestDialogueSendsAgain(t *testing.T) {
	s := newScript(t)
	s.next(false, false, -1)
	s.d.say(s.now, "one")
	s.next(true, false, 100*ms)
	s.next(false, false, 100*ms)
	s.at(100*ms).next(true, true, 300*ms) // the timer is doubled
	s.at(300*ms).next(true, true, 700*ms)
	s.at(350*ms).arrives(ack(1), fresh, nil)
	s.next(false, false, -1)
	if !s.d.idle() {
		t.Error("not idle after the acknowledgement")
	}
	s.arrives(ack(1), repeat, nil)
	s.arrives(ack(2), ignore, ErrNumber)
	s.arrives(Packet{Kind: Ack, Session: 9, Number: 1}, ignore, ErrNumber)
	if s.d.rtt.Measured() {
		t.Error("measured what was sent more than once")
	}
	s.d.say(s.now, "two")
	s.next(true, false, 450*ms)
	s.at(360*ms).arrives(ack(1), repeat, nil)
	s.arrives(ack(2), fresh, nil)
	if got := s.d.rtt.SRTT(); got != 10*ms {
		t.Errorf("round trip %v, want 10ms", got)
	}
}

func TestDialogueGivesUp(t *testing.T) {
	s := newScript(t)
	s.d.say(s.now, "one")
	s.at(29999*ms).next(true, false, 30*time.Second)
	s.at(30 * time.Second).fails(ferry.ErrNoAnswer)

	s = newScript(t)
	s.arrives(say(1, "hello"), fresh, nil)
	s.d.say(s.now, "one")
	s.next(true, false, 100*ms)
	s.at(10 * time.Second).fails(ferry.ErrSilent)
}

func TestDialogueHearsOnce(t *testing.T) {
	s := newScript(t)
	s.arrives(say(1, "a"), fresh, nil)
	s.arrives(say(1, "a"), repeat, nil)
	s.arrives(say(3, "c"), ignore, ErrNumber)
	s.arrives(say(2, "b"), fresh, nil)
	s.arrives(say(1, "a"), repeat, nil)
	own := say(1, "a")
	own.Session = 1
	s.arrives(own, ignore, ferry.ErrUnsolicited)
	s.next(false, false, -1) // nothing that arrives is answered with a message
}

// TestDialogueRestart: either side may be restarted. Late packets of the earlier session are ignored.
func TestDialogueRestart(t *testing.T) {
	s := newScript(t)
	s.arrives(say(7, "we were away"), fresh, nil)
	s.arrives(say(8, "b"), fresh, nil)
	anew := Packet{Kind: Say, Session: 3, Number: 1, Text: []byte("they were")}
	s.arrives(anew, fresh, nil)
	s.arrives(say(9, "late"), ignore, ErrNumber)
	s.arrives(anew, repeat, nil)
	for n := range uint64(100) {
		anew.Session = 10 + n
		s.arrives(anew, fresh, nil)
	}
	if len(s.d.former) != maxFormer {
		t.Errorf("%d former sessions, want %d", len(s.d.former), maxFormer)
	}
}

func TestDialogueExit(t *testing.T) {
	s := newScript(t)
	s.d.leave(s.now)
	s.over(false)
	s.next(true, false, 100*ms)
	s.at(50*ms).arrives(ack(1), fresh, nil)
	s.over(true)

	// exit waits for the message in flight.
	s = newScript(t)
	s.d.say(s.now, "one")
	s.next(true, false, 100*ms)
	s.d.leave(s.now)
	s.at(100*ms).next(true, true, 300*ms)
	s.at(110*ms).arrives(ack(1), fresh, nil)
	s.over(false)
	s.next(true, false, 210*ms)
	if s.d.text != exit {
		t.Errorf("says %q, want exit", s.d.text)
	}
	s.arrives(ack(2), fresh, nil)
	s.over(true)

	// The exit is not confirmed.
	s = newScript(t)
	s.d.leave(s.now)
	s.at(1999*ms).next(true, false, 2000*ms)
	s.at(2000 * ms).fails(ferry.ErrUnconfirmed)

	// The message in flight is not acknowledged, and the other peer has never answered.
	s = newScript(t)
	s.d.say(s.now, "one")
	s.d.leave(s.now)
	s.at(2000 * ms).fails(ferry.ErrNoAnswer)
}

// TestDialogueLingers: a peer acknowledges each repeated exit until the end of its linger time.
func TestDialogueLingers(t *testing.T) {
	s := newScript(t)
	s.arrives(say(1, exit), fresh, nil)
	s.over(false)
	s.next(false, false, 800*ms)
	s.at(700*ms).arrives(say(1, exit), repeat, nil)
	s.at(1499 * ms).over(false)
	s.at(1500 * ms).over(true)

	// Both peers say exit at the same time.
	s = newScript(t)
	s.d.leave(s.now)
	s.next(true, false, 100*ms)
	s.arrives(say(1, exit), fresh, nil)
	s.arrives(ack(1), fresh, nil)
	s.over(false)
	s.at(800 * ms).over(true)

	// Our exit needs no confirmation after theirs.
	s = newScript(t)
	s.d.leave(s.now)
	s.next(true, false, 100*ms)
	s.at(1900*ms).arrives(say(1, exit), fresh, nil)
	s.at(2100 * ms)
	if _, _, _, err := s.d.next(s.now); err != nil {
		t.Error(err)
	}
	s.at(1900*ms + maxLinger).over(true)

	// A new session of the other peer does not restart this chat.
	s = newScript(t)
	s.arrives(say(1, exit), fresh, nil)
	anew := say(1, "back again")
	anew.Session = 3
	s.at(700*ms).arrives(anew, ignore, ErrNumber)
	s.arrives(say(1, exit), repeat, nil)
	s.d.leave(s.now)
	s.next(false, false, 1500*ms)
	s.at(1500 * ms).over(true)

	// A message that crossed the exit and was not acknowledged is reported.
	s = newScript(t)
	s.d.say(s.now, "one")
	s.next(true, false, 100*ms)
	s.arrives(say(1, exit), fresh, nil)
	s.at(800 * ms).fails(ferry.ErrSilent)
}
