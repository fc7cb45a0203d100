package sealed_test

import (
	"encoding/binary"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/multicast"
	"github.com/ferrygo/ferry/sealed"
)

func receive(t *testing.T, c net.PacketConn) (string, net.Addr) {
	t.Helper()
	buf := make([]byte, 2000)
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, from, err := c.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n]), from
}

func silent(t *testing.T, c net.PacketConn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(time.Second))
	if n, from, err := c.ReadFrom(make([]byte, 2000)); err == nil {
		t.Errorf("%d bytes came from %v", n, from)
	}
}

var long = flag.Bool("long", false, "send a million packets instead of a hundred thousand")

// TestJitterDuplicates sends packets over a network that delays, duplicates, reorders and
// loses them: none is delivered twice, and none that arrives within the window is refused.
func TestJitterDuplicates(t *testing.T) {
	n := 100_000
	if *long {
		n = 1_000_000
	}
	synctest.Test(t, func(t *testing.T) {
		network := lossy.NewNetwork(lossy.Loss(0.01), lossy.Duplicate(0.2), lossy.Jitter(0, 30*time.Millisecond))
		config := sealed.Config{Keys: []sealed.Key{sealed.NewKey()}}
		a, b := wrap(t, config, openAt(t, network, "")), wrap(t, config, openAt(t, network, ""))
		done := make(chan []byte)
		go func() {
			seen := make([]byte, n)
			buf := make([]byte, 100)
			for {
				if _, _, err := b.ReadFrom(buf); err != nil {
					break
				}
				seen[binary.BigEndian.Uint32(buf)]++
			}
			done <- seen
		}()
		payload := make([]byte, 4)
		for i := range n { // 100 packets a millisecond: 3000 in a jitter
			binary.BigEndian.PutUint32(payload, uint32(i))
			if _, err := a.WriteTo(payload, b.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			if i%100 == 99 {
				time.Sleep(time.Millisecond)
			}
		}
		time.Sleep(time.Second)
		out := network.Stats()
		b.Close()
		delivered := 0
		for i, times := range <-done {
			if times > 1 {
				t.Fatalf("packet %d was delivered %d times", i, times)
			}
			delivered += int(times)
		}
		s := sealed.StatsOf(b)
		if s.Opened != delivered || s.Opened+s.Replayed != out.Passed || s.Refused() != s.Replayed {
			t.Errorf("%d were delivered; statistics are %+v; %d arrived", delivered, s, out.Passed)
		}
		if float64(delivered) < 0.985*float64(n) { // a duplicate may replace a lost one
			t.Errorf("%d of %d were delivered", delivered, n)
		}
	})
}

// TestNeverAnswered: nothing is sent in answer to packets that do not open, and each is
// counted and reported.
func TestNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := lossy.NewNetwork()
		reported := 0
		var log strings.Builder
		trace := sealed.LogTrace(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		config := sealed.Config{Keys: []sealed.Key{sealed.NewKey()}, Trace: &sealed.Trace{Refused: func(r sealed.Refusal) {
			reported++
			if r.Addr.Addr() != netip.MustParseAddr("10.0.0.1") {
				t.Errorf("reported for %v", r.Addr)
			}
			if reported == 1 {
				trace.Refused(r)
			}
		}}}
		attacker := openAt(t, network, "10.0.0.1:1")
		inner := openAt(t, network, "10.0.0.2:2")
		b := wrap(t, config, inner)
		go b.ReadFrom(make([]byte, 10))
		const n = 100_000
		packet := make([]byte, 100)
		for i := range n {
			packet[0] = byte(i) // 0xFE and 1 are among these
			packet[1] = byte(i >> 8)
			binary.BigEndian.PutUint64(packet[2:], uint64(i)*0x9e3779b97f4a7c15)
			attacker.WriteTo(packet[:i%101], b.LocalAddr())
			if i%100 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		time.Sleep(time.Second)
		if out, _ := inner.Stats(); out.Packets != 0 {
			t.Errorf("%d answers", out.Packets)
		}
		if s := sealed.StatsOf(b); s.Refused() != n || reported != n || s.Senders != 0 {
			t.Errorf("%d were reported; statistics are %+v", reported, s)
		}
		if want := `msg="sealed: packet refused" addr=10.0.0.1:1 reason="not sealed"`; !strings.Contains(log.String(), want) {
			t.Errorf("logged is %q", log.String())
		}
	})
}

// TestAddresses: a sender may change its address; a packet that was captured does not open
// from another address, nor at its sender.
func TestAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := lossy.NewNetwork()
		config := sealed.Config{Keys: []sealed.Key{sealed.NewKey()}}
		var captured []byte
		mover := &moving{PacketConn: openAt(t, network, "10.0.0.1:1"), capture: &captured}
		a, b := wrap(t, config, mover), wrap(t, config, openAt(t, network, "10.0.0.2:2"))
		attacker := openAt(t, network, "10.0.0.3:3")
		for _, at := range []string{"10.0.0.1:1", "10.0.0.1:9", "10.0.0.9:9"} {
			if at != "10.0.0.1:1" {
				mover.PacketConn = openAt(t, network, at)
			}
			a.WriteTo([]byte("from "+at), b.LocalAddr())
			if got, from := receive(t, b); got != "from "+at || from.String() != at {
				t.Errorf("got %q from %v", got, from)
			}
		}
		attacker.WriteTo(captured, b.LocalAddr()) // cut and pasted
		attacker.WriteTo(captured, a.LocalAddr()) // reflected
		silent(t, b)
		silent(t, a)
		if sa, sb := sealed.StatsOf(a), sealed.StatsOf(b); sa.Reflected != 1 || sa.Refused() != 0 || sb.Replayed != 1 {
			t.Errorf("statistics are %+v and %+v", sa, sb)
		}
	})
}

// A moving conn changes its address, and captures what is written.
type moving struct {
	net.PacketConn
	capture *[]byte
}

func (m *moving) WriteTo(b []byte, addr net.Addr) (int, error) {
	*m.capture = append([]byte(nil), b...)
	return m.PacketConn.WriteTo(b, addr)
}

// TestGroup: a packet to a group is sealed once, opens at every member, and not at its
// sender, which has also joined the group.
func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := lossy.NewNetwork()
		config := sealed.Config{Keys: []sealed.Key{sealed.NewKey()}}
		group := netip.MustParseAddr("239.1.2.3")
		var members []net.PacketConn
		for i := range 4 {
			c := openAt(t, network, fmt.Sprintf("10.0.0.%d:7000", i+1))
			if err := c.JoinGroup(group); err != nil {
				t.Fatal(err)
			}
			members = append(members, wrap(t, config, c))
		}
		if _, err := members[0].WriteTo([]byte("to all"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(group, 7000))); err != nil {
			t.Fatal(err)
		}
		for _, m := range members[1:] {
			if got, _ := receive(t, m); got != "to all" {
				t.Errorf("got %q", got)
			}
		}
		silent(t, members[0])
		if s := sealed.StatsOf(members[0]); s.Sealed != 1 || s.Reflected != 1 {
			t.Errorf("statistics are %+v", s)
		}
	})
}

// TestMulticastConn is TestGroup with real sockets: a multicast.Conn keeps its batches.
func TestMulticastConn(t *testing.T) {
	config := sealed.Config{Keys: []sealed.Key{sealed.NewKey()}}
	group := multicast.Membership{Group: netip.MustParseAddr("239.255.44.55")}
	open := func(port uint16) net.PacketConn {
		c, err := (&multicast.Config{Interface: "lo", Unicast: true}).Listen(netip.AddrPortFrom(netip.IPv4Unspecified(), port), group)
		if err != nil {
			t.Skip("no multicast on the loopback interface:", err)
		}
		t.Cleanup(func() { c.Close() })
		return wrap(t, config, c)
	}
	a := open(0)
	port := a.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	b := open(port)
	if _, err := a.WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(group.Group, port))); err != nil {
		t.Skip("no multicast on the loopback interface:", err)
	}
	if got, _ := receive(t, b); got != "hello" {
		t.Errorf("got %q", got)
	}
	silent(t, a)
}
