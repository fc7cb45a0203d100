package octoput

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

func BenchmarkAppendPacket(b *testing.B) {
	p := Packet{Type: Leg, Flags: Nth(3), Session: 1, Block: 1, Payload: make([]byte, MaxLegSize)}
	var buf []byte
	b.SetBytes(MaxLegSize)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = p.AppendBinary(buf[:0])
	}
}

func BenchmarkParsePacket(b *testing.B) {
	for _, p := range []Packet{
		{Type: Leg, Flags: Nth(3), Session: 1, Block: 1, Payload: make([]byte, MaxLegSize)},
		{Type: Ack, Flags: AllLegs, Session: 1, Block: 1},
	} {
		b.Run(p.Type.String(), func(b *testing.B) {
			buf, err := p.MarshalBinary()
			if err != nil {
				b.Fatal(err)
			}
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

// BenchmarkBlock is an octoblock through both state machines: eight octolegs and an acknowledgement.
func BenchmarkBlock(b *testing.B) {
	out := outbound{plan: 1 << 60, giveUp: time.Hour, join: time.Hour}
	var in inbound
	in.reset(1 << 60)
	now := time.Now()
	out.begin(now)
	out.next(now)
	out.acked(now, 0, AllLegs)
	out.forward(now)
	payload := make([]byte, MaxLegSize)
	b.SetBytes(BlockSize)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		s, _, _ := out.next(now)
		for i := range LegsPerBlock {
			p := Packet{Type: s.kind, Flags: Nth(i + 1), Block: out.number(), Payload: payload}
			if what, err := in.judge(p); what != keep {
				b.Fatal(what, err)
			}
			in.put(p)
		}
		in.forward()
		if what, _ := out.acked(now, out.number(), AllLegs); what != complete {
			b.Fatal(what)
		}
		out.forward(now)
	}
}

// BenchmarkLoopback sends a file to a file over real sockets.
func BenchmarkLoopback(b *testing.B) {
	for _, size := range []int{64 << 10, 16 << 20, 64 << 20} {
		b.Run(fmt.Sprintf("size=%dKiB", size>>10), func(b *testing.B) {
			root, dir := openRoot(b)
			name := filepath.Join(dir, "source")
			if err := os.WriteFile(name, noise(1, size), 0o600); err != nil {
				b.Fatal(err)
			}
			from, at := listenLoopback(b), listenLoopback(b)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				f, err := os.Open(name)
				if err != nil {
					b.Fatal(err)
				}
				src, err := FileSource(f)
				if err != nil {
					b.Fatal(err)
				}
				loopback(b, from, at, src, SaveAs(root, "copy"))
				f.Close()
			}
		})
	}
}

// BenchmarkPingPong is the limit of BenchmarkLoopback: eight datagrams as long as octolegs one way, one
// as long as an ACK back, over and over, with nothing read, checked, hashed or written.
func BenchmarkPingPong(b *testing.B) {
	from, at := listenLoopback(b), listenLoopback(b)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c := datagram.Open(b.Context(), at, datagram.Config{ReadSize: maxPacket})
		defer c.Release()
		ack := []datagram.Packet{{Data: make([]byte, headerLen), Addr: addrOf(from)}}
		for n := 0; ; {
			packets, err := c.Read(time.Time{})
			if err != nil {
				return
			}
			for n += len(packets); n >= LegsPerBlock; n -= LegsPerBlock {
				c.Write(ack)
			}
		}
	}()
	c := datagram.Open(b.Context(), from, datagram.Config{ReadSize: maxPacket})
	defer c.Release()
	legs := make([]datagram.Packet, LegsPerBlock)
	for i := range legs {
		legs[i] = datagram.Packet{Data: make([]byte, maxPacket), Addr: addrOf(at)}
	}
	b.SetBytes(BlockSize)
	b.ReportAllocs()
	for b.Loop() {
		c.Write(legs)
		if _, err := c.Read(time.Now().Add(time.Second)); err != nil {
			b.Fatal(err)
		}
	}
	at.(*net.UDPConn).Close()
	<-done
}
