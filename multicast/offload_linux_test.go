package multicast

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// TestOffload: packets to a group that go to the system in one piece, and come from it in
// one, are what they were; and so they are when neither is wanted.
func TestOffload(t *testing.T) {
	lo := loopbackName(t)
	for _, off := range []bool{false, true} {
		t.Run(fmt.Sprintf("off=%v", off), func(t *testing.T) {
			conn := listenAt(t, Config{Interface: lo}, "239.255.77.1:0")
			in := datagram.Open(t.Context(), conn, datagram.Config{ReadSize: 1500, Join: true, NoOffload: off})
			defer in.Release()
			sender := listenAt(t, Config{Interface: lo}, "0.0.0.0:0")
			out := datagram.Open(t.Context(), sender, datagram.Config{NoOffload: off})
			defer out.Release()
			to := netip.AddrPortFrom(netip.MustParseAddr("239.255.77.1"), port(conn))
			var pkts []datagram.Packet
			for i := range 30 {
				pkts = append(pkts, datagram.Packet{Data: fmt.Appendf(nil, "packet %02d", i), Addr: to})
			}
			pkts = append(pkts, datagram.Packet{Data: []byte("last"), Addr: to})
			if n, err := out.Write(pkts); n != len(pkts) || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
			for next := 0; next < len(pkts); {
				got, err := in.Read(time.Now().Add(patience))
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range got {
					if want := string(pkts[next].Data); string(p.Data) != want || p.Addr.Port() != port(sender) {
						t.Fatalf("packet %d is %q from %v, want %q", next, p.Data, p.Addr, want)
					}
					next++
				}
			}
		})
	}
}

// TestJoined: packets that are sent in one piece are read into one buffer, until Offload
// turns that off.
func TestJoined(t *testing.T) {
	lo := loopbackName(t)
	conn := listenAt(t, Config{Interface: lo}, "239.255.77.1:0")
	if !conn.Offload(true, true) {
		t.Skip("the kernel joins nothing")
	}
	sender := listenAt(t, Config{Interface: lo}, "0.0.0.0:0")
	to := netip.AddrPortFrom(netip.MustParseAddr("239.255.77.1"), port(conn))
	for _, joined := range []bool{true, false} {
		bufs, dests := make([][]byte, 10), make([]netip.AddrPort, 10)
		for i := range bufs {
			bufs[i], dests[i] = make([]byte, 100), to
		}
		if _, err := sender.WriteBatch(bufs, dests, nil); err != nil {
			t.Fatal(err)
		}
		for i := range bufs {
			bufs[i] = make([]byte, 1<<16)
		}
		sizes, segments := make([]int, 10), make([]int, 10)
		conn.SetReadDeadline(time.Now().Add(patience))
		n, err := conn.ReadBatch(bufs, sizes, segments, dests, nil)
		if err != nil {
			t.Fatal(err)
		}
		if joined && (n != 1 || sizes[0] != 1000 || segments[0] != 100) || !joined && (sizes[0] != 100 || segments[0] != 0) {
			t.Errorf("joined %v: %d buffers, the first of %d bytes, segments of %d", joined, n, sizes[0], segments[0])
		}
		conn.Offload(true, false)
	}
}
