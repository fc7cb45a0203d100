package p2mp

import (
	"fmt"
	"testing"
	"time"
)

func BenchmarkAppendPacket(b *testing.B) {
	for _, mss := range []int{100, DefaultMSS} {
		b.Run(fmt.Sprint(mss), func(b *testing.B) {
			p := Packet{Seq: 1, Category: CategoryData, Payload: make([]byte, mss)}
			var buf []byte
			b.SetBytes(int64(mss))
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = p.AppendBinary(buf[:0])
			}
		})
	}
}

func BenchmarkParsePacket(b *testing.B) {
	for _, mss := range []int{0, DefaultMSS} {
		b.Run(fmt.Sprint(mss), func(b *testing.B) {
			buf, _ := Packet{Seq: 1, Category: CategoryData, Payload: make([]byte, mss)}.MarshalBinary()
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParsePacket(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLockstep is a chunk for many receivers: begin, next, sent, and an answer of each.
func BenchmarkLockstep(b *testing.B) {
	for _, n := range []int{1, 16, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := lockstep{peers: make([]steppingPeer, n), join: time.Second, giveUp: time.Second}
			now := time.Now()
			var shots []shot
			b.ReportAllocs()
			for b.Loop() {
				l.begin(now, false)
				shots, _, _ = l.next(now, shots[:0])
				for _, s := range shots {
					l.sent(now, s)
				}
				for i := range n {
					l.acked(now, i, l.seq)
				}
			}
		})
	}
}

// BenchmarkLoopback sends 1 MiB in lock-step, and 64 MiB in the extended mode, over
// real sockets, from memory to memory, digest included.
func BenchmarkLoopback(b *testing.B) {
	for _, bm := range []struct {
		name      string
		sender    Sender
		receivers int
		size      int
	}{
		{"classic/receivers=1", Sender{Classic: true}, 1, 1 << 20},
		{"classic/receivers=3", Sender{Classic: true}, 3, 1 << 20},
		{"extended/receivers=1", Sender{}, 1, 64 << 20},
		{"extended/receivers=3", Sender{}, 3, 64 << 20},
	} {
		b.Run(bm.name, func(b *testing.B) {
			data := noise(1, bm.size)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				loopback(b, bm.sender, bm.receivers, data, asItIs)
			}
		})
	}
}
