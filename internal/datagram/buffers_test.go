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
	_, write, err := c.SetBuffers(64<<10, 0)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "linux" {
		t.Skip("only Linux says what it granted")
	}
	read, same, err := c.SetBuffers(1<<20, 0)
	if err != nil || read < 64<<10 || same != write {
		t.Errorf("SetBuffers = %d, %d, %v; the send buffer was %d", read, same, err, write)
	}
	// It never lowers.
	if got, _, err := c.SetBuffers(1, 1); err != nil || got != read {
		t.Errorf("SetBuffers = %d, %v; it was %d", got, err, read)
	}
	read, write, err = c.SetBuffers(128<<10, 128<<10)
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
	if _, _, err := c.SetBuffers(10, 0); !errors.Is(err, conn.err) {
		t.Errorf("SetBuffers: %v", err)
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
