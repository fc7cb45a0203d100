package lossy

import (
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"github.com/ferrygo/ferry/internal/datagram"
)

// A batchedConn has batches and a choice of offload, which it notes.
type batchedConn struct {
	net.PacketConn
	asked [][2]bool
}

func (c *batchedConn) WriteBatch(bufs [][]byte, _ []netip.AddrPort, _ []netip.Addr) (int, error) {
	return len(bufs), nil
}

func (c *batchedConn) Offload(write, read bool) bool {
	c.asked = append(c.asked, [2]bool{write, read})
	return read
}

// TestWrapOffload: Offload(false, false) holds behind a wrapped conn, and nothing
// comes in one piece, which the models would have to take apart.
func TestWrapOffload(t *testing.T) {
	inner := &batchedConn{PacketConn: socket(t)}
	conn := Wrap(inner, Both(Loss(0)))
	for _, cfg := range []datagram.Config{{NoOffload: true}, {Join: true}} {
		datagram.Open(t.Context(), conn, cfg).Release()
	}
	want := [][2]bool{{false, false}, {true, false}, {true, false}, {true, false}}
	if !slices.Equal(inner.asked, want) {
		t.Errorf("asked for %v, want %v", inner.asked, want)
	}
	conn = Wrap(socket(t), Loss(0.5))
	datagram.Open(t.Context(), conn, datagram.Config{NoOffload: true}).Release()
	if runtime.GOOS == "linux" && conn.(*wrapped).inner.offloader == nil {
		t.Error("a socket's offload is out of reach")
	}
}

func socket(t *testing.T) net.PacketConn {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	return pc
}
