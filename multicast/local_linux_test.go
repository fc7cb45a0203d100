package multicast

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// TestLocal: a server answers from the address that it was asked at, over a Conn for groups
// as over a socket; a packet to a group leaves the choice to the system.
func TestLocal(t *testing.T) {
	lo := loopbackName(t)
	for _, version := range []struct{ group, asked, network string }{
		{"239.255.77.9:0", "127.0.0.2", "udp4"},
		{"[ff12::77]:0", "::1", "udp6"},
	} {
		conn := listenAt(t, Config{Interface: lo, Unicast: true}, version.group)
		server := datagram.Open(t.Context(), conn, datagram.Config{Local: true})
		defer server.Release()
		read := func() datagram.Packet {
			t.Helper()
			pkts, err := server.Read(time.Now().Add(patience))
			if err != nil || len(pkts) != 1 {
				t.Fatal(pkts, err)
			}
			return pkts[0]
		}
		asked := netip.AddrPortFrom(netip.MustParseAddr(version.asked), port(conn))
		client, err := net.DialUDP(version.network, nil, net.UDPAddrFromAddrPort(asked))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if _, err := client.Write([]byte("where?")); err != nil {
			t.Fatal(err)
		}
		p := read()
		if p.Local != asked.Addr() {
			t.Errorf("asked at %v, want %v", p.Local, asked.Addr())
		}
		if _, err := server.Write([]datagram.Packet{p}); err != nil {
			t.Fatal(err)
		}
		client.SetReadDeadline(time.Now().Add(patience))
		if n, err := client.Read(make([]byte, 100)); n != len("where?") || err != nil {
			t.Errorf("the answer: %d bytes, %v", n, err)
		}
		group := netip.MustParseAddrPort(version.group).Addr()
		if group.Is6() {
			continue // there may be no route to it
		}
		sendTo(t, conn, net.UDPAddrFromAddrPort(netip.AddrPortFrom(group, port(conn))), "to all")
		if p := read(); p.Local.IsValid() {
			t.Errorf("sent to a group, at %v", p.Local)
		}
	}
}
