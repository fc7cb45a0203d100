package sealed_test

import (
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/internal/conntest"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/sealed"
)

func wrap(t testing.TB, c sealed.Config, pc net.PacketConn) net.PacketConn {
	t.Helper()
	if c.Purpose == "" {
		c.Purpose = "test"
	}
	w, err := c.Wrap(pc)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func openAt(t testing.TB, n *lossy.Network, a string) *lossy.Conn {
	t.Helper()
	var at netip.AddrPort
	if a != "" {
		at = netip.MustParseAddrPort(a)
	}
	c, err := n.NewConn(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func listenUDP(t testing.TB, addr string) *net.UDPConn {
	t.Helper()
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	return pc.(*net.UDPConn)
}

// A plain conn has no batch methods.
type plain struct {
	net.PacketConn
	buffers
}

type buffers interface {
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}

// TestConformance runs the suite that all conns of this library pass.
func TestConformance(t *testing.T) {
	config := sealed.Config{Keys: []sealed.Key{sealed.NewKey()}}
	t.Run("Network", func(t *testing.T) {
		conntest.Suite{
			Virtual: true, Overhead: 40, NoReflection: true,
			NewNet: func(t *testing.T) func() net.PacketConn {
				n := lossy.NewNetwork()
				return func() net.PacketConn { return wrap(t, config, openAt(t, n, "")) }
			},
		}.Run(t)
	})
	t.Run("UDP", func(t *testing.T) {
		conntest.Suite{
			Overhead: 40, NoReflection: true,
			NewNet: func(*testing.T) func() net.PacketConn {
				return func() net.PacketConn { return wrap(t, config, listenUDP(t, "127.0.0.1:0")) }
			},
		}.Run(t)
	})
	t.Run("Plain", func(t *testing.T) { // an inner conn without batches
		conntest.Suite{
			Overhead: 40, NoReflection: true,
			NewNet: func(*testing.T) func() net.PacketConn {
				return func() net.PacketConn {
					udp := listenUDP(t, "127.0.0.1:0")
					return wrap(t, config, plain{udp, udp})
				}
			},
		}.Run(t)
	})
}

// TestOffloaded sends many packets through the fast path of sockets: joined ones, shorter
// last ones, empty ones, and packets of another key between.
func TestOffloaded(t *testing.T) {
	config := sealed.Config{Keys: []sealed.Key{sealed.NewKey()}}
	a, b := wrap(t, config, listenUDP(t, "127.0.0.1:0")), wrap(t, config, listenUDP(t, "127.0.0.1:0"))
	b.(interface{ SetReadBuffer(int) error }).SetReadBuffer(4 << 20)
	out := datagram.Open(t.Context(), a, datagram.Config{Batch: 256})
	defer out.Release()
	in := datagram.Open(t.Context(), b, datagram.Config{ReadSize: 1500, Batch: 64, Join: true})
	defer in.Release()
	to := b.LocalAddr().(*net.UDPAddr).AddrPort()
	var pkts []datagram.Packet
	sent := make(map[string]int)
	for i := range 500 {
		size := 1000
		switch {
		case i%50 == 17:
			size = 333 // ends a joined one
		case i >= 400:
			size = 0
		}
		data := make([]byte, size)
		if size > 0 {
			data[0], data[1] = byte(i), byte(i>>8)
		}
		sent[string(data)]++
		pkts = append(pkts, datagram.Packet{Data: data, Addr: to})
	}
	for len(pkts) > 0 {
		n := min(100, len(pkts))
		if _, err := out.Write(pkts[:n]); err != nil {
			t.Fatal(err)
		}
		pkts = pkts[n:]
		for got := 0; got < n; {
			ps, err := in.Read(time.Now().Add(10 * time.Second))
			if err != nil {
				t.Fatalf("after %d of %d: %v", got, n, err)
			}
			for _, p := range ps {
				if p.Addr != a.LocalAddr().(*net.UDPAddr).AddrPort() {
					t.Fatalf("from %v", p.Addr)
				}
				if sent[string(p.Data)]--; sent[string(p.Data)] < 0 {
					t.Fatalf("a packet of %d bytes that was not sent", len(p.Data))
				}
				got++
			}
		}
	}
	if s := sealed.StatsOf(b); s.Opened != 500 || s.Refused() != 0 || s.Senders != 1 {
		t.Errorf("statistics are %+v", s)
	}
}

// TestNoAllocation: sealing and opening a batch allocates nothing.
func TestNoAllocation(t *testing.T) {
	config := sealed.Config{Keys: []sealed.Key{sealed.NewKey()}}
	a, b := wrap(t, config, listenUDP(t, "127.0.0.1:0")), wrap(t, config, listenUDP(t, "127.0.0.1:0"))
	w, r := a.(datagram.BatchWriter), b.(datagram.BatchReader)
	const n = 8
	bufs, read := make([][]byte, n), make([][]byte, n)
	sizes, segments, from, to := make([]int, n), make([]int, n), make([]netip.AddrPort, n), make([]netip.AddrPort, n)
	for i := range bufs {
		bufs[i], read[i] = make([]byte, 1200), make([]byte, 1500)
		to[i] = b.LocalAddr().(*net.UDPAddr).AddrPort()
	}
	round := func() {
		if _, err := w.WriteBatch(bufs, to, nil); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < n; {
			k, err := r.ReadBatch(read, sizes, segments, from, nil)
			if err != nil {
				t.Fatal(err)
			}
			got += k
		}
	}
	round()
	if allocs := testing.AllocsPerRun(100, round); allocs >= 1 {
		t.Errorf("%v allocations for %d packets", allocs, n)
	}
}

// TestOverheadAdds: conns around conns add up what they add to a packet.
func TestOverheadAdds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := sealed.Config{Keys: []sealed.Key{sealed.NewKey()}}
		w := wrap(t, config, openAt(t, lossy.NewNetwork(), ""))
		for want := 40; want <= 80; want += 40 {
			if got := w.(interface{ Overhead() int }).Overhead(); got != want {
				t.Errorf("the overhead is %d, want %d", got, want)
			}
			w = wrap(t, config, w)
		}
	})
}
