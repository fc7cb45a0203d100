package octoput

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// FuzzParsePacket: what parses, encodes to the same bytes.
func FuzzParsePacket(f *testing.F) {
	for _, v := range packetVectors {
		f.Add(v.b)
	}
	for _, v := range badPackets {
		f.Add(raw(v.p))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePacket(b)
		if err != nil {
			return
		}
		again, err := p.MarshalBinary()
		if err != nil {
			t.Fatalf("%+v does not encode: %v", p, err)
		}
		// The two zeros of ones' complement are one number (RFC 1071, section 1).
		same := len(again) == len(b) && bytes.Equal(again[:2], b[:2]) && bytes.Equal(again[4:], b[4:])
		if q, err := ParsePacket(again); err != nil || !same || q.Type != p.Type || q.Session != p.Session {
			t.Fatalf("%x became %x, parsed as %+v, %v", b, again, q, err)
		}
		if p.Type != Open {
			return
		}
		o, err := ParseOpening(p.Payload)
		if err != nil {
			t.Fatalf("an OPEN without an opening: %v", err)
		}
		if payload, err := o.MarshalBinary(); err != nil || !bytes.Equal(payload, p.Payload) {
			t.Fatalf("%x became %x, %v", p.Payload, payload, err)
		}
	})
}

// FuzzPlan: any size's octoblocks add up to it, one behind the other.
func FuzzPlan(f *testing.F) {
	for _, v := range planVectors {
		f.Add(v.size)
	}
	f.Add(int64(1<<63 - 1))
	f.Add(int64(-1))
	f.Fuzz(func(t *testing.T, size int64) {
		p := plan(size)
		first := uint64(1)
		var at int64
		if p.count() > 10 { // the full ones in the middle are alike
			first = p.count() - 10
			at = int64(first-1) * BlockSize
		}
		for n := first; n <= p.count(); n++ {
			b := p.block(n)
			if b.Offset != at || b.LegSize < 1 || b.LegSize > MaxLegSize || b.Pad < 0 || b.Pad > 7 || b.Data() < 1 {
				t.Fatalf("size %d: %+v, want offset %d", size, b, at)
			}
			at += int64(b.Data())
		}
		if at != max(0, size) {
			t.Fatalf("size %d: the octoblocks end at %d", size, at)
		}
	})
}

// FuzzRecvState: for any sequence of octolegs the receiver delivers each byte of the file
// once and in order.
func FuzzRecvState(f *testing.F) {
	f.Add(uint16(5), []byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Add(uint16(100), []byte{7, 6, 5, 4, 3, 2, 1, 0, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x81})
	long := noise(1, 1<<16)
	f.Fuzz(func(t *testing.T, size uint16, script []byte) {
		file := long[:size]
		legs := pieces(1, file)
		var in recvState
		in.reset(int64(size))
		var got []byte
		for _, n := range script {
			p := Packet{Type: Leg, Flags: Nth(int(n&7) + 1), Block: uint64(n >> 3), Payload: []byte{n}}
			if i := int(n>>3)*8 - 8 + int(n&7); n&0x80 == 0 && i >= 0 && i < len(legs) {
				p = legs[i]
			}
			switch what, err := in.judge(p); what {
			case keep:
				if err != nil || p.Block != in.block.Number {
					t.Fatalf("kept an octoleg of octoblock %d in octoblock %d, %v", p.Block, in.block.Number, err)
				}
				if len(legs) > 0 && n&0x80 != 0 {
					continue // a forgery that fits: no packet by itself can tell
				}
				if in.put(p) {
					got = append(got, in.data()...)
					in.forward()
				}
			case repeat:
				if err != nil || p.Block > in.block.Number {
					t.Fatalf("repeated octoblock %d in octoblock %d, %v", p.Block, in.block.Number, err)
				}
			case ignore:
				if err == nil {
					t.Fatal("ignored without a reason")
				}
			}
		}
		if !bytes.HasPrefix(file, got) || in.all() != (len(got) == len(file)) {
			t.Fatalf("%d bytes of %d delivered, all %v", len(got), len(file), in.all())
		}
	})
}

// FuzzOutbound: whatever is acknowledged, and whenever, octoblocks come one after the
// other, only what is missing is sent, and it ends or waits for a time to come.
func FuzzOutbound(f *testing.F) {
	f.Add(uint16(20_000), []byte{0, 0xff, 1, 0xdf, 1, 0xff, 2, 0xff, 3, 0xff, 4, 0xff})
	f.Add(uint16(0), []byte{0, 0xff, 1, 0xff})
	f.Add(uint16(8), []byte{0, 0xff, 0x41, 0x40, 0x81, 0x80, 0xc1, 0x20, 1, 0xff})
	f.Fuzz(func(t *testing.T, size uint16, script []byte) {
		o := sendState{plan: plan(size), join: time.Second, giveUp: time.Second}
		now := time.Unix(0, 0)
		o.begin(now)
		var highest uint64
		for ; len(script) >= 2; script = script[2:] {
			s, wake, given := o.next(now)
			if given || o.phase == over {
				break
			}
			if s.kind != 0 && (s.legs&o.held != 0 || s.twice&^s.legs != 0 || s.legs == 0) {
				t.Fatalf("%+v, while %v is held", s, o.held)
			}
			if n := o.number(); n < highest || n > highest+1 || n > o.plan.count()+1 {
				t.Fatalf("number %d after %d", n, highest)
			}
			highest = o.number()
			if s.kind == 0 && !wake.After(now) {
				t.Fatalf("nothing to do, and nothing to wait for: %v at %v", wake, now)
			}
			now = now.Add(time.Duration(script[0]>>4) * 7 * time.Millisecond)
			what, sample := o.acked(now, uint64(script[0]&15), Legs(script[1]))
			if sample < 0 {
				t.Fatalf("a round trip of %v", sample)
			}
			if what == complete {
				o.forward(now)
			}
		}
	})
}

// FuzzReceiver: a receiver does not panic on any packet, and never sends more bytes than it
// received.
func FuzzReceiver(f *testing.F) {
	for _, v := range packetVectors {
		f.Add(v.b, byte(0))
	}
	f.Add(raw(fin(7, nil)), byte(3))
	f.Fuzz(func(t *testing.T, b []byte, way byte) {
		var s sinks
		v := (&Receiver{}).newRecvCall(&s)
		peer := netip.MustParseAddrPort("10.0.0.1:8888")
		for _, packet := range [][]byte{raw(open(7, Opening{Size: int64(way) * 100, Name: "n"})), b, raw(fin(7, make([]byte, int(way)*100))), b} {
			v.answers, v.bytes = v.answers[:0], v.bytes[:0]
			v.arrived(time.Unix(1, 0), datagram.Packet{Data: packet, Addr: peer})
			for _, t := range v.touched {
				v.acknowledgePart(t)
			}
			sum := 0
			for _, a := range v.answers {
				sum += len(a.Data)
			}
			if sum > 2*max(len(packet), headerLen) || len(v.answers) > 2 {
				t.Fatalf("%d bytes in %d packets in answer to %x", sum, len(v.answers), packet)
			}
		}
	})
}
