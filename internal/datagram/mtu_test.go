package datagram

import (
	"net"
	"net/netip"
	"testing"
)

// TestPathMTU: the way to this host itself is the loopback interface, whose MTU is known.
func TestPathMTU(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		addr := netip.MustParseAddr(host)
		want := interfaceMTU(addr)
		if addr.Is4() {
			want = min(want, 65535) // no packet of IPv4 is longer
		}
		pc, err := net.ListenPacket("udp", netip.AddrPortFrom(addr, 0).String())
		if err != nil || want == 0 {
			t.Logf("no %s here: %v", host, err)
			continue
		}
		c := Open(t.Context(), pc, Config{})
		for _, local := range []netip.Addr{{}, addr} {
			if got := c.PathMTU(local, c.LocalAddr()); got != want {
				t.Errorf("%s from %v: %d, want %d", host, local, got, want)
			}
		}
		c.Release()
		c = Open(t.Context(), struct{ net.PacketConn }{pc}, Config{})
		if got := c.PathMTU(netip.Addr{}, c.LocalAddr()); got != 0 {
			t.Errorf("a decorated conn knows an MTU: %d", got)
		}
		c.Release()
		pc.Close()
	}
}
