package proxy_test

import (
	"context"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ferrygo/ferry/lossy/proxy"
)

func receiveBuffer(t *testing.T, c *net.UDPConn) (size int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { size, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF) })
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// TestMissedCounted: what the system drops at the proxy's own sockets is counted, and the
// receive buffers of all sockets are raised.
func TestMissedCounted(t *testing.T) {
	conn := listenUDP(t, "127.0.0.1:0").(*net.UDPConn)
	server, client := listenUDP(t, "127.0.0.1:0"), listenUDP(t, "127.0.0.1:0")
	if err := conn.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	const n = 100
	for range n { // before anybody reads
		if _, err := client.WriteTo(make([]byte, 1000), conn.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	small := receiveBuffer(t, conn)
	opened := make(chan *net.UDPConn, 10)
	p := &proxy.Server{
		To: server.LocalAddr().(*net.UDPAddr).AddrPort(),
		ListenPacket: func(ctx context.Context, network, address string) (net.PacketConn, error) {
			pc, err := new(net.ListenConfig).ListenPacket(ctx, network, address)
			if err == nil {
				err = pc.(*net.UDPConn).SetReadBuffer(4096)
				opened <- pc.(*net.UDPConn)
			}
			return pc, err
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Serve(ctx, conn) }()
	receive(t, server) // one of those that were not dropped has passed
	running := p.Stats()
	if got := receiveBuffer(t, conn); got <= small {
		t.Errorf("the receive buffer of the conn is %d bytes; it was %d", got, small)
	}
	if got := receiveBuffer(t, <-opened); got <= small {
		t.Errorf("the receive buffer of a client's socket is %d bytes; it was %d", got, small)
	}
	cancel()
	<-done
	for _, s := range []proxy.Stats{running, p.Stats()} {
		if s.Missed < n/2 || s.Missed >= n {
			t.Errorf("of %d packets %d are counted as missed", n, s.Missed)
		}
	}
}
