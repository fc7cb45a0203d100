package p2mp

import (
	"bytes"
	"hash/maphash"
	"testing"
)

// FuzzParsePacket: a packet that parses encodes to the same bytes, except for the checksum
// of an ACK, which may be zero.
func FuzzParsePacket(f *testing.F) {
	for _, v := range packetVectors {
		f.Add(uint64(0), v.b)
	}
	for _, v := range messageVectors {
		f.Add(uint64(0), appendMessage(nil, v.c, v.m))
	}
	f.Add(uint64(0), []byte{0, 0, 0, 7, 0, 0, 0xaa, 0xaa})
	f.Add(uint64(0), []byte{0, 0, 0, 0, 0, 0, 0xaa, 0xaa}) // of a HELLO
	b, _ := Packet{Session: testSession, Seq: 1, Category: CategoryData, Payload: []byte("abc")}.MarshalBinary()
	f.Add(uint64(testSession), b)
	f.Fuzz(func(t *testing.T, session uint64, b []byte) {
		p, err := ParseSessionPacket(session, b)
		if err != nil {
			return
		}
		if p.Seq == 0 && p.Category == CategoryData || p.Seq != 0 && p.Category != CategoryData && p.Category != CategoryAck {
			t.Fatalf("parsed %+v", p)
		}
		if len(p.Payload) > MaxMSS {
			return // no datagram over IPv4 is that long
		}
		again, err := p.MarshalBinary()
		if err != nil {
			t.Fatalf("%+v does not encode: %v", p, err)
		}
		// The two zeros of ones' complement are one number (RFC 1071, section 1).
		same := bytes.Equal(again[:4], b[:4]) && bytes.Equal(again[6:], b[6:])
		if q, err := ParseSessionPacket(session, again); err != nil || !same || q.Seq != p.Seq || q.Category != p.Category || !bytes.Equal(q.Payload, p.Payload) {
			t.Fatalf("%x became %x, parsed as %+v, %v", b, again, q, err)
		}
	})
}

// FuzzInbound: for any chunks in any order, the delivered chunks are numbered 1, 2, 3 ...
// and the file ends once.
func FuzzInbound(f *testing.F) {
	f.Add([]byte{1, 9, 2, 9, 2, 9, 3, 4})
	f.Add([]byte{1, 0, 1, 0, 2, 3})
	f.Add([]byte{1, 5, 2, 0, 1, 5, 2, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		in := newInOrder(maphash.MakeSeed())
		var want uint32 = 1
		for ; len(script) >= 2; script = script[2:] {
			p := Packet{Seq: uint32(script[0]), Category: CategoryData, Payload: bytes.Repeat(script[1:2], int(script[1]%16))}
			if p.Seq == 0 {
				continue
			}
			switch what, err := in.judge(p); what {
			case due:
				if p.Seq != want || in.over || err != nil {
					t.Fatalf("delivered chunk %d, want %d (over %v, error %v)", p.Seq, want, in.over, err)
				}
				want++
				in.taken(p)
			case known:
				if p.Seq >= want || err != nil {
					t.Fatalf("repeated chunk %d, which was not delivered (next %d, error %v)", p.Seq, want, err)
				}
			case anew:
				if p.Seq != 1 {
					t.Fatalf("began anew with chunk %d", p.Seq)
				}
				in, want = newInOrder(maphash.MakeSeed()), 1
			case resumed:
				if p.Seq != 2 || !in.over || len(in.held) == 0 {
					t.Fatalf("resumed with chunk %d", p.Seq)
				}
				in, want = newInOrder(maphash.MakeSeed()), 1
			case away:
				if err == nil {
					t.Fatal("ignored without a reason")
				}
			}
		}
	})
}
