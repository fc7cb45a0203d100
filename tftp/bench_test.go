package tftp

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/ferrygo/ferry"
)

func BenchmarkParsePacket(b *testing.B) {
	for _, n := range []int{0, 1428} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			buf, _ := Packet{Op: DATA, Block: 1, Payload: make([]byte, n)}.MarshalBinary()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParsePacket(buf, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOutbound is a window of blocks and its ACK.
func BenchmarkOutbound(b *testing.B) {
	const window = 64
	o := outbound{Flight: newFlight(numbering{}, false, window, senderTimer(plain())), plan: Window{window}.Begin(), budget: proved()}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		for range window {
			n, _, _ := o.next(now)
			o.sent(now, n, false)
		}
		o.acked(now, o.num.wire(o.Sent()))
	}
}

// BenchmarkLoopback reads 16 MiB over real sockets.
func BenchmarkLoopback(b *testing.B) {
	for _, bb := range []struct {
		name string
		wide bool
		c    Client
	}{
		{"blksize=512/windowsize=1", false, Client{BlockSize: 512, WindowSize: 1}},
		{"blksize=1428/windowsize=1", false, Client{BlockSize: 1428, WindowSize: 1}},
		{"blksize=1428/windowsize=16", false, Client{BlockSize: 1428, WindowSize: 16}},
		{"blksize=1428/windowsize=64", false, Client{BlockSize: 1428, WindowSize: 64}},
		{"blksize=1428/wide", true, Client{BlockSize: 1428, Wide: true}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			m := newMemory()
			m.files["file"] = noise(1, 16<<20)
			addr := serveLoopback(b, &Server{Opener: m, Handler: m, Wide: bb.wide})
			bb.c.Linger = -1
			b.SetBytes(16 << 20)
			b.ReportAllocs()
			for b.Loop() {
				conn := listenLoopback(b)
				if _, err := bb.c.Get(context.Background(), conn, addr, "file", ferry.To(io.Discard)); err != nil {
					b.Fatal(err)
				}
				conn.Close()
			}
		})
	}
}
