package multicast

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// TestPollBatch: PollBatch returns packets without waiting, after the deadline as well, and
// skips unwanted packets.
func TestPollBatch(t *testing.T) {
	lo := loopbackName(t)
	conn := listenAt(t, Config{Interface: lo}, "239.255.77.9:0")
	other := listenAt(t, Config{Interface: lo}, netip.AddrPortFrom(netip.MustParseAddr("239.255.77.10"), port(conn)).String())
	conn.SetReadDeadline(time.Unix(1, 0))
	bufs := [][]byte{make([]byte, 10), make([]byte, 10)}
	sizes, segments, from := make([]int, 2), make([]int, 2), make([]netip.AddrPort, 2)
	poll := func(want ...string) {
		t.Helper()
		n, err := conn.PollBatch(bufs, sizes, segments, from, nil)
		if err != nil || n != len(want) {
			t.Fatalf("%d packets, %v; want %d", n, err, len(want))
		}
		for i, w := range want {
			if got := string(bufs[i][:sizes[i]]); got != w || from[i].Port() != port(conn) {
				t.Errorf("%q of %v, want %q of port %d", got, from[i], w, port(conn))
			}
		}
	}
	send := func(group string, text string) {
		if _, err := conn.WriteTo([]byte(text), &net.UDPAddr{IP: net.ParseIP(group), Port: int(port(conn))}); err != nil {
			t.Fatal(err)
		}
	}
	poll()
	send("239.255.77.9", "one")
	send("239.255.77.9", "two")
	poll("one", "two")
	for range 5 {
		send("239.255.77.10", "not mine")
	}
	send("239.255.77.9", "three")
	poll("three")
	poll()
	other.Close()
	conn.Close()
	if n, err := conn.PollBatch(bufs, sizes, segments, from, nil); n != 0 || err == nil {
		t.Errorf("%d, %v of a closed conn", n, err)
	}
}

// TestBuffers: a protocol learns how large the socket's buffers are, and keeps its window
// below that.
func TestBuffers(t *testing.T) {
	conn := listenAt(t, Config{Interface: loopbackName(t)}, "239.255.77.9:0")
	if err := errors.Join(conn.SetReadBuffer(40<<10), conn.SetWriteBuffer(50<<10)); err != nil {
		t.Fatal(err)
	}
	d := datagram.Open(t.Context(), conn, datagram.Config{})
	defer d.Release()
	if read, write, err := d.SetBuffers(0, 0); read != 40<<10 || write != 50<<10 || err != nil {
		t.Errorf("%d and %d bytes, %v", read, write, err)
	}
}
