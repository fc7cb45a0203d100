package p2mp

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// Lingering ends, though the other side never hears an answer.
func TestLingerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.receive(Receiver{})
		start := time.Now()
		p.write(chunk(1, ""))
		for time.Since(start) < time.Minute {
			p.write(chunk(1, ""))
			pause(time.Second)
		}
		select {
		case <-p.receivers[0].done:
		default:
			t.Error("it lingers still")
		}
		p.stop()
	})
}

// Late copies of all chunks do not end the linger time, even if all places for transfers
// are taken.
func TestLingerIsNotCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.serve(Receiver{Transfers: 1}, &shelf{t: t})
		for _, c := range []Packet{chunk(1, "ab"), chunk(2, "cd"), chunk(3, ""), chunk(1, "ab"), chunk(2, "cd")} {
			p.write(c)
			pause(time.Millisecond)
		}
		for range 4 { // ACKs 1, 2, 3 and 1
			p.read()
		}
		p.sender.SetReadDeadline(time.Now().Add(time.Millisecond))
		p.sender.ReadFrom(make([]byte, 10)) // that of chunk 2, if there was one
		p.write(chunk(3, ""))
		if got := p.read(); got != "ACK 3" {
			t.Errorf("the last chunk again drew %s", got)
		}
		p.stop()
	})
}

// A receiver that has seen losses lingers longer, because the sender's polls may be lost as
// well. It lingers for at most DefaultLinger.
func TestLingerOfSession(t *testing.T) {
	from := netip.MustParseAddrPort("10.0.0.9:9")
	for _, tt := range []struct {
		seqs []uint32
		rto  time.Duration
		want time.Duration
	}{
		{[]uint32{1, 2, 3}, 10 * time.Millisecond, minLinger},
		{[]uint32{1, 2, 3}, 100 * time.Millisecond, 800 * time.Millisecond},
		{[]uint32{1, 2, 3}, time.Second, DefaultLinger},
		{[]uint32{1, 3, 2}, 10 * time.Millisecond, 640 * time.Millisecond},
		{[]uint32{1, 2, 2, 3}, 10 * time.Millisecond, 640 * time.Millisecond},
		{[]uint32{1, 3, 2}, 100 * time.Millisecond, DefaultLinger},
	} {
		v, in := served(t, Receiver{}, ferry.HandlerFunc(func(ferry.Offer) (ferry.Sink, error) { return new(troubledItem), nil }))
		h := offerOf("f", 300)
		in(CategoryHello, &h)
		for _, seq := range tt.seqs {
			b, _ := Packet{Session: testSession, Seq: seq, Category: CategoryData, Payload: make([]byte, 100)}.MarshalBinary()
			v.arrived(time.Now(), datagram.Packet{Data: b, Addr: from})
		}
		in(CategoryFin, &fin{session: testSession, number: 1, size: 300, rto: tt.rto})
		s := v.latest[from]
		<-s.result
		if s.linger != tt.want {
			t.Errorf("chunks %v, timer %v: lingers for %v, want %v", tt.seqs, tt.rto, s.linger, tt.want)
		}
	}
}
