package proxy_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ferrygo/ferry/lossy/proxy"
)

// TestAnswersFromAddressAsked: clients of a proxy on all addresses of its host hear from
// the address that they send to, from the ports of further servers as well.
func TestAnswersFromAddressAsked(t *testing.T) {
	server, other := listenUDP(t, "127.0.0.1:0"), listenUDP(t, "127.0.0.1:0")
	conn := listenUDP(t, ":0")
	p := proxy.Server{To: netip.MustParseAddrPort(server.LocalAddr().String())}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Serve(ctx, conn) }()
	defer func() {
		cancel()
		<-done
	}()
	asked := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), conn.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	client := listenUDP(t, "127.0.0.1:0").(*net.UDPConn)
	buf := make([]byte, 100)
	for range 2 {
		if _, err := client.WriteToUDPAddrPort([]byte("where?"), asked); err != nil {
			t.Fatal(err)
		}
		server.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, socket, err := server.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		for _, from := range []net.PacketConn{server, other} {
			if _, err := from.WriteTo([]byte("here"), socket); err != nil {
				t.Fatal(err)
			}
		}
		client.SetReadDeadline(time.Now().Add(10 * time.Second))
		for range 2 {
			_, from, err := client.ReadFromUDPAddrPort(buf)
			if err != nil || from.Addr().Unmap() != asked.Addr() {
				t.Errorf("an answer from %v, %v; want one from %v", from, err, asked.Addr())
			}
		}
	}
}
