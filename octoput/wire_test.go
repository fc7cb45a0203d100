package octoput

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// TestWireOneBlockInFlight watches the wire: an octoblock begins only when the sender
// has the acknowledgement of the one before in full ("At most one octoblock can be in
// transit", CPSC 441 assignment 2, "Technical Requirements", paragraph 3), only
// unacknowledged octolegs are retransmitted, no more than eight packets leave at once, and
// the FIN is last.
func TestWireOneBlockInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sender netip.AddrPort
		known := map[uint64]Legs{}  // by the ACKs that reached the sender
		sent := map[time.Time]int{} // packets that left at once
		var highest uint64
		again := 0
		trace := &lossy.Trace{Judged: func(e lossy.Event) {
			p, err := ParsePacket(e.Payload)
			if err != nil {
				t.Errorf("on the wire: %v", err)
				return
			}
			if e.From != sender {
				return
			}
			if sent[e.Time]++; sent[e.Time] > LegsPerBlock {
				t.Errorf("%d packets left at once", sent[e.Time])
			}
			if p.Type == Open {
				return
			}
			if p.Block > highest {
				if p.Block != highest+1 || highest > 0 && known[highest] != AllLegs {
					t.Errorf("%v of octoblock %d after octoblock %d, of which %v was acknowledged", p.Type, p.Block, highest, known[highest])
				}
				highest = p.Block
			}
			if p.Type == Leg && known[p.Block]&p.Flags != 0 {
				t.Errorf("octoleg %v of octoblock %d went although it was acknowledged", p.Flags, p.Block)
			}
		}}
		p := newPair(t, lossy.Seed(4), lossy.Loss(0.2), lossy.Jitter(5*time.Millisecond, 15*time.Millisecond), lossy.WithTrace(trace))
		sender = p.sender.AddrPort()
		p.receive(Receiver{Linger: time.Minute})
		data := noise(1, 50*BlockSize+13)
		report, err := p.send(Sender{GiveUp: time.Hour, Trace: &Trace{
			Received: func(e PacketEvent) { known[e.Block] |= e.Flags },
			Sent: func(e PacketEvent) {
				if e.Again {
					again++
				}
			},
		}}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.wait()
		p.check(data)
		if highest != 53 || again == 0 || report.Retransmitted != uint64(again) {
			t.Errorf("the FIN had number %d, want 53; %d packets went again, %d reported", highest, again, report.Retransmitted)
		}
	})
}

// TestReorderingCostsLittle: a network that changes the order of packets and loses none
// makes the sender repeat few.
func TestReorderingCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, lossy.Seed(1), lossy.Jitter(5*time.Millisecond, 15*time.Millisecond))
		p.receive(Receiver{})
		data := noise(1, 200*BlockSize)
		report, err := p.send(Sender{}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.wait()
		p.check(data)
		t.Logf("%d of %d packets sent again", report.Retransmitted, report.Sent)
		if report.Retransmitted > report.Sent/20 {
			t.Errorf("%d of %d packets sent again, want one in twenty at most", report.Retransmitted, report.Sent)
		}
	})
}

// TestLongRoundTrip: where the round trip is longer than the first timer, everything
// would be sent twice for ever if the timer did not learn.
func TestLongRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, lossy.Delay(300*time.Millisecond))
		p.receive(Receiver{})
		data := noise(1, 100*BlockSize)
		report, err := p.send(Sender{}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.wait()
		p.check(data)
		if report.Retransmitted > 80 {
			t.Errorf("%d of %d packets were sent again on a network that loses none", report.Retransmitted, report.Sent)
		}
	})
}
