package conntest_test

import (
	"net"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/ferrygo/ferry/internal/conntest"
)

func listen(t *testing.T, address string) net.PacketConn {
	t.Helper()
	pc, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	return pc
}

// TestUDP shows that the suite asks nothing that a real socket does not give.
func TestUDP(t *testing.T) {
	conntest.Suite{
		NewNet: func(t *testing.T) func() net.PacketConn {
			return func() net.PacketConn { return listen(t, "127.0.0.1:0") }
		},
		OpenAt: func(t *testing.T, addr net.Addr) net.PacketConn { return listen(t, addr.String()) },
	}.Run(t)
}

func TestPipe(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		c1, c2 = conntest.Pipe(listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0"))
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	})
}
