package datagram

import (
	"context"
	"testing"
	"time"
)

// BenchmarkLoopback sends bursts of 1400-byte datagrams from one socket and reads them
// from another, in one goroutine: it measures the cost of a packet on both sides
// together, and loses none.
func BenchmarkLoopback(b *testing.B) {
	const size, burst = 1400, 32
	all := ways()
	for _, name := range []string{"any conn", "portable", "no offload", "best", "joined"} {
		b.Run(name, func(b *testing.B) {
			in, out := loopback(b, "udp4", "127.0.0.1:0"), loopback(b, "udp4", "127.0.0.1:0")
			r := all[name](context.Background(), in, Config{ReadSize: size})
			defer r.Release()
			w := all[name](context.Background(), out, Config{})
			defer w.Release()
			pkts := make([]Packet, burst)
			for i := range pkts {
				pkts[i] = Packet{Data: make([]byte, size), Addr: addrOf(in)}
			}
			deadline := time.Now().Add(time.Hour)
			b.SetBytes(size * burst)
			b.ReportAllocs()
			for b.Loop() {
				if n, err := w.Write(pkts); n != burst || err != nil {
					b.Fatalf("Write = %d, %v", n, err)
				}
				for n := 0; n < burst; {
					got, err := r.Read(deadline)
					if err != nil {
						b.Fatal(err)
					}
					n += len(got)
				}
			}
			b.ReportMetric(float64(b.N)*burst/b.Elapsed().Seconds(), "packets/s")
		})
	}
}

// BenchmarkDestinations sends a datagram to each of many sockets, as a sender to
// several receivers does.
func BenchmarkDestinations(b *testing.B) {
	const size, count = 1400, 16
	all := ways()
	for _, name := range []string{"any conn", "portable", "best"} {
		b.Run(name, func(b *testing.B) {
			w := all[name](context.Background(), loopback(b, "udp4", "127.0.0.1:0"), Config{})
			defer w.Release()
			var pkts []Packet
			for range count {
				// Packets that do not fit into the receive buffer are dropped.
				pkts = append(pkts, Packet{Data: make([]byte, size), Addr: addrOf(loopback(b, "udp4", "127.0.0.1:0"))})
			}
			b.SetBytes(size * count)
			b.ReportAllocs()
			for b.Loop() {
				if n, err := w.Write(pkts); n != count || err != nil {
					b.Fatalf("Write = %d, %v", n, err)
				}
			}
			b.ReportMetric(float64(b.N)*count/b.Elapsed().Seconds(), "packets/s")
		})
	}
}
