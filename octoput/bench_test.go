package octoput

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ferrygo/ferry"
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

// BenchmarkBlock is an octoblock through both state machines: eight octolegs and an
// acknowledgement.
func BenchmarkBlock(b *testing.B) {
	out := sendState{plan: 1 << 60, giveUp: time.Hour, join: time.Hour}
	var in recvState
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

// BenchmarkLoopback sends a file to a file over real sockets, and takes turns with a
// bare exchange of packets: eight datagrams as long as octolegs one way, one as long as
// an ACK back, over and over, with nothing read, checked, hashed or written. That is
// the limit of one octoblock in flight without segmentation offload.
func BenchmarkLoopback(b *testing.B) {
	for _, size := range []int{1 << 20, 64 << 20} {
		b.Run(fmt.Sprintf("size=%dMiB", size>>20), func(b *testing.B) {
			root, dir := openRoot(b)
			if err := os.WriteFile(filepath.Join(dir, "source"), noise(1, size), 0o600); err != nil {
				b.Fatal(err)
			}
			from, at := listenLoopback(b), listenLoopback(b)
			bare := newPingPong(b)
			var files, limit time.Duration
			best := time.Hour // of files: what else the machine does only adds to it
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				sendFile(b, from, at, root)
				took := time.Since(start)
				files += took
				best = min(best, took)
				b.StopTimer()
				start = time.Now()
				bare.run(size / BlockSize)
				limit += time.Since(start)
				b.StartTimer()
			}
			b.ReportMetric(float64(b.N)*float64(size)/1e6/limit.Seconds(), "limit-MB/s")
			b.ReportMetric(100*limit.Seconds()/files.Seconds(), "%-of-limit")
			b.ReportMetric(float64(size)/1e6/best.Seconds(), "best-MB/s")
		})
	}
}

// sendFile sends the file "source" of root to the file "copy" there.
func sendFile(b *testing.B, from, at net.PacketConn, root *os.Root) {
	f, err := root.Open("source")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	src, err := ferry.FileSource(f)
	if err != nil {
		b.Fatal(err)
	}
	loopback(b, from, at, src, ferry.SaveAs(root, "copy"))
}

// A pingPong is a bare exchange of packets.
type pingPong struct {
	b    *testing.B
	conn *datagram.Conn
	legs []datagram.Packet
}

func newPingPong(b *testing.B) *pingPong {
	from, at := listenLoopback(b), listenLoopback(b)
	p := &pingPong{b: b, legs: make([]datagram.Packet, LegsPerBlock)}
	for i := range p.legs {
		p.legs[i] = datagram.Packet{Data: make([]byte, maxPacket), Addr: addrOf(at)}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		pong(datagram.Open(ctx, at, datagram.Config{ReadSize: maxPacket}), addrOf(from))
	}()
	p.conn = datagram.Open(context.Background(), from, datagram.Config{ReadSize: maxPacket})
	b.Cleanup(func() {
		cancel()
		<-done
		p.conn.Release()
	})
	return p
}

// pong sends a packet for every eight.
func pong(c *datagram.Conn, to netip.AddrPort) {
	defer c.Release()
	ack := []datagram.Packet{{Data: make([]byte, headerLen), Addr: to}}
	for n := 0; ; {
		packets, err := c.Read(time.Time{})
		if err != nil {
			return
		}
		for n += len(packets); n >= LegsPerBlock; n -= LegsPerBlock {
			c.Write(ack)
		}
	}
}

func (p *pingPong) run(blocks int) {
	for range blocks {
		p.conn.Write(p.legs)
		if _, err := p.conn.Read(time.Now().Add(10 * time.Second)); err != nil {
			p.b.Fatal(err)
		}
	}
}
