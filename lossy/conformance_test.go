package lossy_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/ferrygo/ferry/internal/conntest"
	"github.com/ferrygo/ferry/lossy"
)

// TestConformance runs the suite that a real UDP socket passes (it does so in
// internal/conntest) against the conns of a Network and against what Wrap
// makes of both.
func TestConformance(t *testing.T) {
	t.Parallel()
	pass := lossy.Both(lossy.Loss(0))
	late := lossy.Both(lossy.Delay(time.Millisecond))
	t.Run("Network", func(t *testing.T) { conformNetwork(t, true, nil) })
	t.Run("NetworkDelay", func(t *testing.T) {
		conformNetwork(t, true, []lossy.Option{lossy.Delay(time.Millisecond)})
	})
	t.Run("NetworkRealTime", func(t *testing.T) { conformNetwork(t, false, nil) })
	t.Run("WrappedNetwork", func(t *testing.T) { conformNetwork(t, true, nil, pass) })
	t.Run("WrappedNetworkDelay", func(t *testing.T) { conformNetwork(t, true, nil, late) })
	t.Run("WrappedUDP", func(t *testing.T) { conformUDP(t, false, pass) })
	t.Run("WrappedUDPDelay", func(t *testing.T) { conformUDP(t, true, late) })
	t.Run("WrappedUDPEgress", func(t *testing.T) { conformUDP(t, false, lossy.Loss(0)) })
	t.Run("WrappedUDPIngress", func(t *testing.T) { conformUDP(t, false, lossy.Ingress(lossy.Loss(0))) })
}

func conformNetwork(t *testing.T, virtual bool, network []lossy.Option, wrap ...lossy.Option) {
	var n *lossy.Network
	openAt := func(t *testing.T, addr netip.AddrPort) net.PacketConn {
		t.Helper()
		c, err := n.NewConn(addr)
		if err != nil {
			t.Fatal(err)
		}
		return lossy.Wrap(c, wrap...)
	}
	suite := conntest.Suite{
		Virtual: virtual,
		NewNet: func(t *testing.T) func() net.PacketConn {
			n = lossy.NewNetwork(network...)
			return func() net.PacketConn { return openAt(t, netip.AddrPort{}) }
		},
		OpenAt: func(t *testing.T, addr net.Addr) net.PacketConn {
			return openAt(t, addr.(*net.UDPAddr).AddrPort())
		},
	}
	if len(wrap) == 0 {
		suite.Overflowed = func(pc net.PacketConn) int {
			_, ingress := lossy.StatsOf(pc)
			return ingress.Overflowed
		}
	}
	suite.Run(t)
}

func conformUDP(t *testing.T, delayed bool, wrap ...lossy.Option) {
	conntest.Suite{
		Delayed: delayed,
		NewNet: func(t *testing.T) func() net.PacketConn {
			return func() net.PacketConn { return listenUDP(t, "127.0.0.1:0", wrap...) }
		},
		OpenAt: func(t *testing.T, addr net.Addr) net.PacketConn {
			return listenUDP(t, addr.String(), wrap...)
		},
	}.Run(t)
}

func listenUDP(t *testing.T, addr string, wrap ...lossy.Option) net.PacketConn {
	t.Helper()
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return lossy.Wrap(pc, wrap...)
}

// TestNetConn runs the tests that golang.org/x/net has for net.Conns.
func TestNetConn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		pair func(t *testing.T) (a, b net.PacketConn)
	}{
		{"Network", func(t *testing.T) (a, b net.PacketConn) {
			n := lossy.NewNetwork()
			return must(n.NewConn(netip.AddrPort{})), must(n.NewConn(netip.AddrPort{}))
		}},
		{"NetworkDelay", func(t *testing.T) (a, b net.PacketConn) {
			n := lossy.NewNetwork(lossy.Delay(50 * time.Microsecond))
			return must(n.NewConn(netip.AddrPort{})), must(n.NewConn(netip.AddrPort{}))
		}},
		{"WrappedUDP", func(t *testing.T) (a, b net.PacketConn) {
			pass := lossy.Both(lossy.Loss(0))
			return listenUDP(t, "127.0.0.1:0", pass), listenUDP(t, "127.0.0.1:0", pass)
		}},
		{"WrappedUDPDelay", func(t *testing.T) (a, b net.PacketConn) {
			late := lossy.Both(lossy.Delay(50 * time.Microsecond))
			return listenUDP(t, "127.0.0.1:0", late), listenUDP(t, "127.0.0.1:0", late)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
				a, b := conntest.Pipe(test.pair(t))
				return a, b, func() { a.Close(); b.Close() }, nil
			})
		})
	}
}

func must(c *lossy.Conn, err error) *lossy.Conn {
	if err != nil {
		panic(err)
	}
	return c
}
