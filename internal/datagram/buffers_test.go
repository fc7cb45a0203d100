package datagram

import (
	"errors"
	"net"
	"runtime"
	"testing"
)

func TestSetBuffers(t *testing.T) {
	conn := loopback(t, "udp4", "127.0.0.1:0")
	c := Open(t.Context(), conn, Config{})
	defer c.Release()
	if _, _, err := c.SetBuffers(64<<10, 64<<10); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "linux" {
		t.Skip("only Linux says what it granted")
	}
	// The granted size is in the units of the request.
	for _, size := range []int{40 << 10, 60 << 10} {
		if err := errors.Join(conn.SetReadBuffer(size), conn.SetWriteBuffer(size+100)); err != nil {
			t.Fatal(err)
		}
		if read, write, err := c.SetBuffers(0, 0); read != size || write != size+100 || err != nil {
			t.Errorf("SetBuffers(0, 0) = %d, %d, %v; want %d", read, write, err, size)
		}
	}
	read, same, err := c.SetBuffers(1<<20, 0)
	if err != nil || read < 64<<10 || same != 60<<10+100 {
		t.Errorf("SetBuffers = %d, %d, %v", read, same, err)
	}
	// It never lowers.
	if got, _, err := c.SetBuffers(1, 1); err != nil || got != read {
		t.Errorf("SetBuffers = %d, %v; it was %d", got, err, read)
	}
	read, write, err := c.SetBuffers(128<<10, 128<<10)
	if err != nil || read < 128<<10 || write < 128<<10 {
		t.Errorf("SetBuffers = %d, %d, %v", read, write, err)
	}
}

func TestSetBuffersForwarded(t *testing.T) {
	conn := &sized{fakeConn: newFakeConn()}
	c := Open(t.Context(), conn, Config{})
	defer c.Release()
	if read, write, err := c.SetBuffers(10, 20); read != 0 || write != 0 || err != nil {
		t.Errorf("SetBuffers = %d, %d, %v", read, write, err)
	}
	if conn.read != 10 || conn.write != 20 {
		t.Errorf("the conn was asked for %d and %d", conn.read, conn.write)
	}
	conn.err = errors.New("broken")
	for _, sizes := range [][2]int{{10, 0}, {0, 10}} {
		if _, _, err := c.SetBuffers(sizes[0], sizes[1]); !errors.Is(err, conn.err) {
			t.Errorf("SetBuffers(%v): %v", sizes, err)
		}
	}
}

type sized struct {
	*fakeConn
	read, write int
	err         error
}

func (s *sized) SetReadBuffer(n int) error  { s.read = n; return s.err }
func (s *sized) SetWriteBuffer(n int) error { s.write = n; return s.err }

// A conn without the methods is left alone.
func TestSetBuffersUnknown(t *testing.T) {
	c := Open(t.Context(), struct{ net.PacketConn }{newFakeConn()}, Config{})
	defer c.Release()
	if read, write, err := c.SetBuffers(10, 20); read != 0 || write != 0 || err != nil {
		t.Errorf("SetBuffers = %d, %d, %v", read, write, err)
	}
}
