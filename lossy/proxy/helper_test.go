package proxy_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// open opens a conn at the next free address.
func open(t *testing.T, n *lossy.Network) *lossy.Conn {
	t.Helper()
	return openAt(t, n, netip.AddrPort{})
}

func openAt(t *testing.T, n *lossy.Network, a netip.AddrPort) *lossy.Conn {
	t.Helper()
	c, err := n.NewConn(a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func listenUDP(t *testing.T, addr string) net.PacketConn {
	t.Helper()
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	return pc
}

func send(t *testing.T, c net.PacketConn, to *lossy.Conn, payload string) {
	t.Helper()
	if n, err := c.WriteTo([]byte(payload), to.LocalAddr()); n != len(payload) || err != nil {
		t.Fatalf("WriteTo = %d, %v", n, err)
	}
}

func receive(t *testing.T, c net.PacketConn) string {
	t.Helper()
	buf := make([]byte, 1<<16)
	n, _, err := c.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

// drain reads what has arrived, all of it from one address (any if it is zero).
func drain(t *testing.T, c *lossy.Conn, from netip.AddrPort) (got []string) {
	t.Helper()
	buf := make([]byte, 100)
	for {
		c.SetReadDeadline(time.Now().Add(time.Nanosecond))
		k, a, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return got
		}
		if a != from && from.IsValid() {
			t.Errorf("a packet came from %v, want %v", a, from)
		}
		got = append(got, string(buf[:k]))
	}
}
