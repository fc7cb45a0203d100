package p2mp

import (
	"bytes"
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// TestWireLockstep checks the packets on the wire. Chunk k+1 is not sent before all
// receivers have acknowledged chunk k, and a chunk is retransmitted only to receivers that
// have not acknowledged it (P2MP-FTP report, "Client", point 2). Numbers begin with 1 and
// have no gaps ("Client", point 5).
func TestWireLockstep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sender netip.AddrPort
		acked := make(map[netip.AddrPort]uint32) // by the ACKs that reached the sender
		sent := make(map[netip.AddrPort]uint32)  // the highest chunk
		again := 0
		trace := &lossy.Trace{Judged: func(e lossy.Event) {
			p, err := ParsePacket(e.Payload)
			if err != nil {
				t.Errorf("on the wire: %v", err)
				return
			}
			if e.From != sender || p.Category != CategoryData {
				return
			}
			switch {
			case p.Seq == sent[e.To]:
				again++
				if acked[e.To] >= p.Seq {
					t.Errorf("chunk %d went again to %v, which had acknowledged it", p.Seq, e.To)
				}
			case p.Seq == sent[e.To]+1:
				sent[e.To] = p.Seq
			default:
				t.Errorf("chunk %d went to %v after chunk %d", p.Seq, e.To, sent[e.To])
			}
			for to, last := range acked {
				if last+1 < p.Seq {
					t.Errorf("chunk %d left while %v had only %d", p.Seq, to, last)
				}
			}
		}}
		p := newParty(t, 5, lossy.Seed(4), lossy.Loss(0.2), lossy.Jitter(5*time.Millisecond, 15*time.Millisecond), lossy.WithTrace(trace))
		sender = addrOf(p.sender)
		for _, to := range p.to {
			acked[to] = 0
		}
		p.receive(Receiver{Linger: time.Minute})
		data := noise(1, 50*100)
		report, err := p.send(Sender{Classic: true, MSS: 100, GiveUp: time.Hour, Trace: &Trace{
			Acked: func(e PacketEvent) { acked[e.Addr] = e.Seq },
		}}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		var counted uint64
		for _, peer := range report.Peers {
			counted += peer.Retransmitted
			if sent[peer.Addr] != 51 {
				t.Errorf("the last chunk for %v was %d, want 51", peer.Addr, sent[peer.Addr])
			}
		}
		if again == 0 || counted < uint64(again) {
			t.Errorf("%d retransmissions seen, %d reported; want some", again, counted)
		}
	})
}

// TestTimersFollowTheRoundTrip: on a fast network that loses packets, measured timers
// beat the report's fixed 0.1 s by far. The times are virtual.
func TestTimersFollowTheRoundTrip(t *testing.T) {
	took := func(fixed time.Duration) (d time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 3, lossy.Seed(1), lossy.Loss(0.05), lossy.Delay(100*time.Microsecond))
			p.receive(Receiver{})
			data := noise(1, 500*500)
			report, err := p.send(Sender{Classic: true, MSS: 500, Timeout: fixed}, data)
			if err != nil {
				t.Fatal(err)
			}
			p.check(data)
			d = report.Elapsed
		})
		return d
	}
	measured, fixed := took(0), took(100*time.Millisecond)
	t.Logf("measured %v, fixed %v: %.0f times", measured, fixed, float64(fixed)/float64(measured))
	if fixed < 20*measured {
		t.Errorf("measured timers take %v, the fixed one %v; want 20 times less", measured, fixed)
	}
}

// TestLongRoundTrip: where the round trip is longer than the first timer, every chunk
// would be sent twice for ever if the timer did not learn.
func TestLongRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(300*time.Millisecond))
		p.receive(Receiver{})
		data := noise(1, 200*100)
		report, err := p.send(Sender{Classic: true, MSS: 100}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		if again := report.Peers[0].Retransmitted; again > 60 {
			t.Errorf("%d of 200 chunks were sent again on a network that loses none", again)
		}
	})
}

func TestPacketLossOnReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		var printed bytes.Buffer
		trace := PrintTrace(&printed)
		m := p.receivers[0]
		conn := lossy.Wrap(m.conn, lossy.Ingress(lossy.DropNth(2)), lossy.WithTrace(&lossy.Trace{
			Judged: func(e lossy.Event) {
				if e.Verdict == lossy.Dropped {
					trace.Lost(e.From, e.Payload)
				}
			},
		}))
		m.start(func(ctx context.Context) error {
			var err error
			m.report, err = (&Receiver{Trace: trace}).Receive(ctx, conn, &m.got)
			return err
		})
		var timeouts bytes.Buffer
		data := noise(1, 250)
		if _, err := p.send(Sender{Classic: true, MSS: 100, Trace: PrintTrace(&timeouts)}, data); err != nil {
			t.Fatal(err)
		}
		p.check(data)
		// The report, "Server", point 6 and "Client", point 6.
		if got, want := printed.String(), "Packet loss, sequence number = 2\n"; got != want {
			t.Errorf("the receiver printed %q, want %q", got, want)
		}
		if got, want := timeouts.String(), "Timeout, sequence number = 2\n"; got != want {
			t.Errorf("the sender printed %q, want %q", got, want)
		}
	})
}
