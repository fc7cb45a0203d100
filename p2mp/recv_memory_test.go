package p2mp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/lossy"
)

// TestMemoryHasOneBound: the early chunks of all sessions together stay within MaxMemory.
// Sessions that bring nothing else make room for one that does, which loses no speed, and
// the memory is free at the end.
func TestMemoryHasOneBound(t *testing.T) {
	took := make(map[bool]time.Duration)
	for _, attacked := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1, lossy.Delay(2*time.Millisecond), lossy.Loss(0.02), lossy.Seed(1))
			s := &shelf{t: t}
			m := p.receivers[0]
			var most int64
			var l *recvLoop
			r := Receiver{MaxMemory: 1 << 20, Trace: &Trace{Ignored: func(PacketEvent) {}, Received: func(PacketEvent) { most = max(most, l.memory.used) }}}
			l = r.newLoop(s)
			m.start(func(ctx context.Context) error { return l.run(ctx, m.conn) })
			f := newForger(p, 60, false)
			defer f.close()
			if attacked {
				f.offer(1000)
				for seq := range uint32(60) {
					f.chunk(seq+2, 1000)
				}
				pause(10 * time.Millisecond)
				if l.memory.used < 1<<18 {
					t.Errorf("the attack takes only %d bytes", l.memory.used)
				}
			}
			data := noise(1, 2_000_000)
			report, err := (&Sender{MSS: 1000, Rate: 8e6}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data)), Name: "f"})
			if err != nil {
				t.Error(err)
			}
			took[attacked] = report.Elapsed
			pause(2 * DefaultReceiverGiveUp)
			if most > 1<<20 || l.memory.used != 0 {
				t.Errorf("%d bytes at most, %d at the end", most, l.memory.used)
			}
			p.stop()
		})
	}
	if took[true] > took[false]*10/8 {
		t.Errorf("%v, and %v without an attack", took[true], took[false])
	}
}

// TestRefusedOffersDisplaceNothing: however many offers are refused, a transfer that is
// complete is remembered.
func TestRefusedOffersDisplaceNothing(t *testing.T) {
	v, in := served(t, Receiver{MaxTransfers: 4}, ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
		if o.Name == "refused" {
			return nil, errBroken
		}
		return new(troubledItem), nil
	}))
	h := offerOf("f", 0)
	in(CategoryHello, &h)
	f := fin{session: h.session, number: 1, digest: sha256.Sum256(nil)}
	in(CategoryFin, &f)
	t0 := v.all[transferKey{v.active[0].key.from, h.session}]
	v.conclude(time.Now(), t0, <-t0.result)
	v.committing = nil
	for i := range uint64(1000) {
		r := offerOf("refused", 10)
		r.session += (i + 1) << 20
		in(CategoryHello, &r)
	}
	v.out, v.bytes = nil, nil
	if got := fmt.Sprint(in(CategoryFin, &f)); got != "[REPORT]" {
		t.Errorf("FIN drew %s", got)
	}
	if len(v.failed) != 4 || len(v.bySum) > 5 || len(v.all) != 5 {
		t.Errorf("%d failed, %d sums, %d in all", len(v.failed), len(v.bySum), len(v.all))
	}
}

// TestChunksFindTheirSession: the sum of a packet tells its session, for every length.
func TestChunksFindTheirSession(t *testing.T) {
	for i := range uint64(200) {
		session := testSession * (2*i + 1)
		b, err := Packet{Session: session, Seq: uint32(i + 1), Category: CategoryData, Payload: noise(i, int(i))}.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := packetSum(b), sessionSum(session); got != want {
			t.Errorf("session %x, %d bytes: %x, want %x", session, len(b), got, want)
		}
		if _, err := ParsePacket(b); (err == nil) != (packetSum(b) == 0) {
			t.Errorf("session %x: %v", session, err)
		}
	}
}

// BenchmarkArrived is what a long packet with a wrong checksum costs at a receiver that
// remembers many sessions of its sender.
func BenchmarkArrived(b *testing.B) {
	for _, sessions := range []int{0, 500} {
		b.Run(fmt.Sprint(sessions), func(b *testing.B) {
			v := (&Receiver{MaxTransfers: 500}).newLoop(ferry.HandlerFunc(func(ferry.Offer) (ferry.Sink, error) { return nil, errBroken }))
			for i := range sessions {
				h := offerOf("f", 10)
				h.session += uint64(i) << 20
				m := appendMessage(nil, CategoryHello, &h)
				v.arrived(time.Now(), datagram.Packet{Data: m, Addr: firstReceiver})
			}
			p, _ := chunk(1, string(make([]byte, 60000))).MarshalBinary()
			p[4]++
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				v.arrived(time.Now(), datagram.Packet{Data: p, Addr: firstReceiver})
			}
		})
	}
}

// A forgingConn is a sender's conn. When the sender has sent n chunks, someone who knows
// the session sends a chunk in its name that is far beyond what was sent.
type forgingConn struct {
	net.PacketConn
	n, ahead *int
}

func (c forgingConn) WriteTo(b []byte, to net.Addr) (int, error) {
	n, err := c.PacketConn.WriteTo(b, to)
	if isData(b) {
		if *c.n--; *c.n == 0 {
			forged, _ := Packet{Session: sessionOf[c], Seq: uint32(*c.ahead), Category: CategoryData, Payload: make([]byte, len(b)-headerLen)}.MarshalBinary()
			c.PacketConn.WriteTo(forged, to)
		}
	} else if p, err := ParsePacket(b); err == nil && p.Category == CategoryHello {
		h, _ := parseHello(p.Payload)
		sessionOf[c] = h.session
	}
	return n, err
}

var sessionOf = make(map[forgingConn]uint64)

// TestForgedChunkBeyondWhatWasSent: a chunk that the sender cannot have sent yet is
// forgotten, and the file is right.
func TestForgedChunkBeyondWhatWasSent(t *testing.T) {
	for _, ahead := range []int{1200, 3000} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1, lossy.Delay(2*time.Millisecond))
			p.receive(Receiver{})
			data := noise(1, 500_000)
			n := 200
			conn := forgingConn{p.sender, &n, &ahead}
			_, err := (&Sender{MSS: 100, Rate: 8e6}).Send(t.Context(), conn, p.to, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data)), Name: "f"})
			p.stop()
			if err != nil {
				t.Errorf("chunk %d: %v", ahead, err)
			}
			p.check(data)
		})
	}
}
