package multicast

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/conntest"
)

// inNamespace names, in the environment, the interface of a network namespace in which
// these tests run.
const inNamespace = "FERRY_MULTICAST_INTERFACE"

// loopbackName is the name of the loopback interface, or of another one through which
// nothing leaves this machine.
func loopbackName(t testing.TB) string {
	if name := os.Getenv(inNamespace); name != "" {
		return name
	}
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, ifi := range all {
		if ifi.Flags&net.FlagLoopback != 0 && ifi.Flags&net.FlagUp != 0 {
			return ifi.Name
		}
	}
	t.Skip("no loopback interface")
	return ""
}

func listenAt(t testing.TB, c Config, at string, groups ...Membership) *Conn {
	t.Helper()
	conn, err := c.Listen(netip.MustParseAddrPort(at), groups...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func port(c *Conn) uint16 { return c.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

func at(group string, port uint16) *net.UDPAddr {
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(group), port))
}

// patience is only used up by a test that fails.
const patience = 10 * time.Second

func receive(t testing.TB, c *Conn, want string) Info {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 2000)
	n, info, err := c.ReadInfo(buf)
	if err != nil || string(buf[:n]) != want {
		t.Fatalf("received %q, %v; want %q", buf[:n], err, want)
	}
	return info
}

func sendTo(t testing.TB, c net.PacketConn, to net.Addr, text string) {
	t.Helper()
	if _, err := c.WriteTo([]byte(text), to); err != nil {
		t.Fatal(err)
	}
}

// A family is a version of IP, with two groups, a host, and where to listen.
type family struct {
	name, anywhere, a, b, host string
}

var families = []family{
	{"IPv4", "0.0.0.0:0", "239.255.77.1", "239.255.77.2", "127.0.0.1"},
	{"IPv6", "[::]:0", "ff12::77:1", "ff12::77:2", "::1"},
}

// needs skips a test of IPv6 where only the loopback interface may be used: Linux has
// no route for groups there.
func (f family) needs(t *testing.T) {
	if f.name == "IPv6" && os.Getenv(inNamespace) == "" {
		t.Skip("IPv6 groups need a namespace: see TestInNamespace")
	}
}

// TestOnlyThisGroup: a Conn in group A receives nothing of group B, which other sockets have
// joined.
func TestOnlyThisGroup(t *testing.T) {
	lo := loopbackName(t)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			f.needs(t)
			c := Config{Interface: lo}
			inA := listenAt(t, c, f.anywhere, Membership{Group: netip.MustParseAddr(f.a)})
			inB := listenAt(t, c, strings.TrimSuffix(f.anywhere, "0")+fmt.Sprint(port(inA)), Membership{Group: netip.MustParseAddr(f.b)})
			inB.SetReadBuffer(1 << 20)
			sender := listenAt(t, c, f.anywhere)
			for i := range 1000 {
				sendTo(t, sender, at(f.b, port(inA)), fmt.Sprint(i))
				receive(t, inB, fmt.Sprint(i))
			}
			sendTo(t, sender, at(f.host, port(inA)), "unicast") // reaches one of both, and is not delivered
			sendTo(t, sender, at(f.a, port(inA)), "for A")
			info := receive(t, inA, "for A")
			source := sender.LocalAddr().(*net.UDPAddr).AddrPort().Port()
			if info.Destination.String() != f.a || info.Interface != lo || info.TTL != 1 || info.Source.Port() != source {
				t.Errorf("info %+v", info)
			}
		})
	}
}

// TestSharedPort: all that are in a group get every packet, the sender too, unless it
// does not want to.
func TestSharedPort(t *testing.T) {
	lo := loopbackName(t)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			f.needs(t)
			group := Membership{Group: netip.MustParseAddr(f.a)}
			c := Config{Interface: lo, TTL: 3}
			first := listenAt(t, c, f.anywhere, group)
			second := listenAt(t, c, strings.TrimSuffix(f.anywhere, "0")+fmt.Sprint(port(first)), group)
			sendTo(t, first, at(f.a, port(first)), "hello")
			for _, c := range []*Conn{first, second} {
				if info := receive(t, c, "hello"); info.TTL != 3 {
					t.Errorf("TTL %d, want 3", info.TTL)
				}
			}
			if os.Getenv(inNamespace) == "" {
				return // what is sent through a loopback interface comes back
			}
			silent := listenAt(t, Config{Interface: lo, NoLoopback: true}, f.anywhere)
			sendTo(t, silent, at(f.a, port(first)), "unheard")
			sendTo(t, first, at(f.a, port(first)), "heard")
			receive(t, second, "heard")
		})
	}
}

// TestListenAtGroup: the shortest way, as CSCI 351 project 4, "UDP Receiver" has it.
func TestListenAtGroup(t *testing.T) {
	lo := loopbackName(t)
	var reserved []netip.Addr
	c := Config{Interface: lo, Trace: &Trace{Reserved: func(g netip.Addr) { reserved = append(reserved, g) }}}
	conn := listenAt(t, c, "224.1.1.1:0")
	if len(reserved) != 1 || reserved[0].String() != "224.1.1.1" {
		t.Errorf("the trace tells of %v", reserved)
	}
	sender := listenAt(t, Config{Interface: lo, TTL: 2}, "0.0.0.0:0")
	sendTo(t, sender, at("224.1.1.1", port(conn)), "hello")
	if info := receive(t, conn, "hello"); info.TTL != 2 {
		t.Errorf("info %+v", info)
	}
}

func TestUnicast(t *testing.T) {
	lo := loopbackName(t)
	for _, f := range families {
		if f.name == "IPv6" && os.Getenv(inNamespace) == "" {
			continue
		}
		conn := listenAt(t, Config{Interface: lo, Unicast: true}, f.anywhere, Membership{Group: netip.MustParseAddr(f.a)})
		sender := listenAt(t, Config{Interface: lo}, f.anywhere)
		sendTo(t, sender, at(f.host, port(conn)), "to you")
		sendTo(t, sender, at(f.a, port(conn)), "to all")
		if info := receive(t, conn, "to you"); info.Destination.String() != f.host {
			t.Errorf("info %+v", info)
		}
		receive(t, conn, "to all")
	}
}

func TestMistakes(t *testing.T) {
	lo := loopbackName(t)
	host := netip.MustParseAddr("127.0.0.1")
	for _, tt := range []struct {
		m    Membership
		want error
		text string
	}{
		{Membership{Group: host}, ErrNotGroup, "multicast: join 127.0.0.1: not a multicast group"},
		{Membership{}, ErrNotGroup, "invalid IP"},
		{Membership{Group: netip.MustParseAddr("ff12::1")}, ErrFamily, "another version"},
		{Membership{Group: netip.MustParseAddr("224.0.0.251")}, ErrControl, "reserved for control"},
		{Membership{Group: netip.MustParseAddr("224.0.1.1")}, ErrControl, ""},
		{Membership{Group: netip.MustParseAddr("232.1.1.1")}, ErrAnySource, "needs a source"},
		{Membership{Group: netip.MustParseAddr("232.1.1.1"), Exclude: []netip.Addr{host}}, ErrAnySource, ""},
		{Membership{Group: netip.MustParseAddr("239.1.1.1"), Include: []netip.Addr{host}, Exclude: []netip.Addr{host}}, ErrFilter, ""},
		{Membership{Group: netip.MustParseAddr("239.1.1.1"), Include: []netip.Addr{netip.MustParseAddr("239.1.1.1")}}, ErrFilter, ""},
		{Membership{Group: netip.MustParseAddr("239.1.1.1"), Include: []netip.Addr{{}}}, ErrFilter, ""},
		{Membership{Group: netip.MustParseAddr("239.1.1.1"), Interface: "nonsuch0"}, ErrNoInterface, "interface nonsuch0: no interface has this name"},
	} {
		conn := listenAt(t, Config{Interface: lo}, "0.0.0.0:0")
		err := conn.Join(tt.m)
		var group *GroupError
		if !errors.Is(err, tt.want) || !errors.As(err, &group) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("joining %+v: %v, want %v", tt.m, err, tt.want)
		}
	}
	for at, c := range map[string]Config{
		"255.255.255.255:0": {},
		"0.0.0.0:0":         {Interface: "nonsuch0"},
		"0.0.0.0:1":         {TTL: 256},
		"0.0.0.0:2":         {TTL: -1, NoLoopback: true},
		"239.1.1.1:0":       {Interface: "nonsuch0"},
		"224.0.0.1:0":       {Interface: lo},
	} {
		if conn, err := c.Listen(netip.MustParseAddrPort(at)); err == nil || !strings.HasPrefix(err.Error(), "multicast: ") {
			t.Errorf("listening at %s with %+v: %v, %v", at, c, conn, err)
		}
	}
	// A port that somebody has for himself.
	busy, err := net.ListenPacket("udp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if _, err := (&Config{}).Listen(netip.AddrPortFrom(netip.IPv4Unspecified(), busy.LocalAddr().(*net.UDPAddr).AddrPort().Port())); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a port in use: %v", err)
	}
	conn := listenAt(t, Config{Interface: lo}, "0.0.0.0:0")
	for _, to := range []string{"224.0.0.1", "ff12::1"} {
		var group *GroupError
		if _, err := conn.WriteTo([]byte("x"), at(to, 9)); !errors.As(err, &group) || group.Op != "send to" {
			t.Errorf("sending to %s: %v", to, err)
		}
	}
	if _, err := conn.WriteTo([]byte("x"), &net.UnixAddr{}); err == nil {
		t.Error("sent to what is no address")
	}
	allowed := listenAt(t, Config{Interface: lo, Control: true}, "224.0.0.251:0")
	sendTo(t, allowed, at("224.0.0.251", port(allowed)), "opted in")
	receive(t, allowed, "opted in")
	if pc, err := net.ListenPacket("udp6", "[::]:0"); err != nil {
		t.Skip("no IPv6: ", err)
	} else {
		pc.Close()
	}
	six := listenAt(t, Config{Interface: lo}, "[::]:0")
	if _, err := six.WriteTo([]byte("x"), at("255.255.255.255", 9)); err == nil {
		t.Error("sent a broadcast of IPv4 by IPv6")
	}
	if n, err := six.WriteBatch([][]byte{{1}}, []netip.AddrPort{netip.AddrPortFrom(LimitedBroadcast(), 9)}, nil); n != 0 || err == nil {
		t.Errorf("sent %d broadcasts of IPv4 by IPv6: %v", n, err)
	}
}

func TestClosed(t *testing.T) {
	lo := loopbackName(t)
	conn := listenAt(t, Config{Interface: lo}, "239.255.77.1:0")
	ended := make(chan error)
	go func() {
		_, _, err := conn.ReadFrom(make([]byte, 10))
		ended <- err
	}()
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a read that Close ended: %v", err)
	}
	if err := conn.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closing twice: %v", err)
	}
	if err := conn.Join(Membership{Group: netip.MustParseAddr("239.255.77.2")}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("joining after Close: %v", err)
	}
	near := listenAt(t, Config{Interface: lo, TTL: -1}, "0.0.0.0:0")
	near.Close()
	if _, err := near.WriteTo([]byte("x"), at("239.255.77.2", 9)); !errors.Is(err, net.ErrClosed) || len(near.holds) != 0 {
		t.Errorf("sending after Close: %v, %d sockets open", err, len(near.holds))
	}
}

// TestLeavesNothing: neither goroutines nor descriptors.
func TestLeavesNothing(t *testing.T) {
	lo := loopbackName(t)
	count := func() (goroutines, descriptors int) {
		fds, _ := os.ReadDir("/proc/self/fd")
		return runtime.NumGoroutine(), len(fds)
	}
	goroutines, descriptors := count()
	for i := range 100 {
		c := Config{Interface: lo, TTL: -(i % 2)}
		conn, err := c.Listen(netip.MustParseAddrPort("239.255.77.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		for n := range 30 {
			conn.Join(Membership{Group: netip.AddrFrom4([4]byte{239, 255, 78, byte(n)})})
		}
		conn.WriteTo(nil, at("239.255.78.1", port(conn)))
		conn.Close()
	}
	if g, d := count(); g > goroutines+5 || d > descriptors+5 {
		t.Errorf("%d goroutines and %d descriptors, before %d and %d", g, d, goroutines, descriptors)
	}
}

// TestConformance: a Conn behaves like a UDP socket.
func TestConformance(t *testing.T) {
	open := func(t *testing.T, at string) net.PacketConn { return listenAt(t, Config{Unicast: true}, at) }
	conntest.Suite{
		NewNet: func(t *testing.T) func() net.PacketConn {
			return func() net.PacketConn { return open(t, "127.0.0.1:0") }
		},
		OpenAt: func(t *testing.T, closed net.Addr) net.PacketConn { return open(t, closed.String()) },
	}.Run(t)
}

// TestUnknownZone: a packet to a zone that is not an interface is an error, and does not
// leave through another interface.
func TestUnknownZone(t *testing.T) {
	conn := listenAt(t, Config{}, "[::]:0")
	for _, to := range []string{"ff12::1%nonsuch0", "fe80::1%nonsuch0", "ff12::1%1000000"} {
		for range 2 {
			addr := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(to), 9))
			if _, err := conn.WriteTo([]byte("x"), addr); !errors.Is(err, ErrNoInterface) {
				t.Errorf("%s: %v", to, err)
			}
			if n, err := conn.WriteBatch([][]byte{{1}}, []netip.AddrPort{addr.AddrPort()}, nil); n != 0 || !errors.Is(err, ErrNoInterface) {
				t.Errorf("%s: %d, %v", to, n, err)
			}
		}
	}
}

func TestIsBroadcast(t *testing.T) {
	for addr, want := range map[string]bool{
		"255.255.255.255": true, "::ffff:255.255.255.255": true, "127.255.255.255": true,
		"127.0.0.1": false, "192.0.2.3": false, "239.255.0.1": false, "::1": false, "ff02::1": false,
	} {
		if got := IsBroadcast(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}
