package multicast

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// TestBatches: internal/datagram finds the batch methods, and no packet costs an
// allocation.
func TestBatches(t *testing.T) {
	lo := loopbackName(t)
	conn := listenAt(t, Config{Interface: lo}, "239.255.77.1:0")
	if r, w := datagram.Batches(conn); r == nil || w == nil {
		t.Fatal("no batches")
	}
	c := datagram.Open(t.Context(), conn, datagram.Config{ReadSize: 100})
	defer c.Release()
	group := netip.AddrPortFrom(netip.MustParseAddr("239.255.77.1"), port(conn))
	var out []datagram.Packet
	for i := range 32 {
		out = append(out, datagram.Packet{Data: []byte{byte(i)}, Addr: group})
	}
	exchange := func() {
		if n, err := c.Write(out); n != len(out) || err != nil {
			t.Fatal(n, err)
		}
		for got := 0; got < len(out); {
			pkts, err := c.Read(time.Now().Add(patience))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range pkts {
				if len(p.Data) != 1 || p.Data[0] != byte(got) {
					t.Fatalf("packet %d is %v", got, p.Data)
				}
				got++
			}
		}
	}
	exchange()
	exchange()
	if per := testing.AllocsPerRun(100, exchange) / float64(len(out)); per > 0.1 {
		t.Errorf("%.2f allocations for each packet", per)
	}
	// An error is about one packet, and those before it have left.
	out[5].Addr = netip.MustParseAddrPort("224.0.0.1:9")
	if n, err := c.Write(out); n != 5 || !errors.Is(err, ErrControl) {
		t.Errorf("%d were sent, %v; want 5, ErrControl", n, err)
	}
}

// TestBatchOfMixed: packets that are not wanted leave no gap in a batch.
func TestBatchOfMixed(t *testing.T) {
	lo := loopbackName(t)
	conn := listenAt(t, Config{Interface: lo}, "239.255.77.1:0")
	sender := listenAt(t, Config{Interface: lo}, "0.0.0.0:0")
	for i := range 8 {
		sendTo(t, sender, at("127.0.0.1", port(conn)), "unwanted")
		sendTo(t, sender, at("239.255.77.1", port(conn)), fmt.Sprint("wanted ", i))
	}
	bufs := make([][]byte, 20)
	for i := range bufs {
		bufs[i] = make([]byte, 20)
	}
	sizes, segments, from := make([]int, 20), make([]int, 20), make([]netip.AddrPort, 20)
	conn.SetReadDeadline(time.Now().Add(patience))
	for next := 0; next < 8; {
		n, err := conn.ReadBatch(bufs, sizes, segments, from, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if got, want := string(bufs[i][:sizes[i]]), fmt.Sprint("wanted ", next); got != want || from[i].Port() != port(sender) {
				t.Errorf("packet %d is %q from %v, want %q", i, got, from[i], want)
			}
			next++
		}
	}
}

func BenchmarkReceive(b *testing.B) {
	lo := loopbackName(b)
	c := Config{Interface: lo}
	for name, conn := range map[string]net.PacketConn{
		"multicast": listenAt(b, Config{Interface: lo, Unicast: true}, "127.0.0.1:0"),
		"UDPConn": func() net.PacketConn {
			conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			return conn
		}(),
	} {
		b.Run(name, func(b *testing.B) {
			sender := listenAt(b, c, "127.0.0.1:0")
			to := conn.LocalAddr().(*net.UDPAddr).AddrPort()
			in := datagram.Open(b.Context(), conn, datagram.Config{ReadSize: 1500})
			defer in.Release()
			out := datagram.Open(b.Context(), sender, datagram.Config{})
			defer out.Release()
			pkts := make([]datagram.Packet, 32)
			for i := range pkts {
				pkts[i] = datagram.Packet{Data: make([]byte, 1400), Addr: to}
			}
			b.SetBytes(1400 * 32)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := out.Write(pkts); err != nil {
					b.Fatal(err)
				}
				for got := 0; got < len(pkts); {
					p, err := in.Read(time.Now().Add(patience))
					if err != nil {
						b.Fatal(err)
					}
					got += len(p)
				}
			}
		})
	}
}
