package lossy_test

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

var testGroup = netip.MustParseAddr("239.1.2.3")

// TestGroup sends to a group of three, of which one listens at another port;
// the sender is a member.
func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork(lossy.Delay(time.Millisecond))
		at := func(a string) *lossy.Conn { return openAt(t, n, addr(a)) }
		sender, b, c := at("10.0.0.1:5000"), at("10.0.0.2:5000"), at("10.0.0.3:5000")
		port, outside := at("10.0.0.4:5001"), at("10.0.0.5:5000")
		for _, m := range []*lossy.Conn{c, port, sender, b} {
			if err := m.JoinGroup(testGroup); err != nil {
				t.Fatal(err)
			}
		}
		// One of the links is worse.
		if err := n.SetLink(host(sender), host(c), lossy.DropNth(1), lossy.Delay(time.Second)); err != nil {
			t.Fatal(err)
		}
		to := &net.UDPAddr{IP: testGroup.AsSlice(), Port: 5000}
		for _, payload := range []string{"one", "two"} {
			if _, err := sender.WriteTo([]byte(payload), to); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Second)
		for _, test := range []struct {
			conn *lossy.Conn
			want string
		}{{sender, "one two"}, {b, "one two"}, {c, "two"}, {port, ""}, {outside, ""}} {
			if got := strings.Join(drain(t, test.conn, sender.AddrPort()), " "); got != test.want {
				t.Errorf("%v got %q, want %q", test.conn.AddrPort(), got, test.want)
			}
		}
		if s := n.Stats(); s.Packets != 6 || s.Scripted != 1 || s.Passed != 5 {
			t.Errorf("statistics are %+v", s)
		}
		// A conn that leaves or closes receives nothing more.
		if err := b.LeaveGroup(testGroup); err != nil {
			t.Fatal(err)
		}
		c.Close()
		sender.LeaveGroup(testGroup)
		port.Close()
		sender.WriteTo([]byte("three"), to)
		time.Sleep(time.Second)
		if got := drain(t, b, sender.AddrPort()); len(got) != 0 {
			t.Errorf("who left got %q", got)
		}
		if s := n.Stats(); s.Unreachable != 1 || s.Packets != 7 {
			t.Errorf("statistics are %+v", s)
		}
	})
}

// drain returns the payloads that have arrived, all from one address.
func drain(t *testing.T, c *lossy.Conn, from netip.AddrPort) (got []string) {
	t.Helper()
	buf := make([]byte, 100)
	for {
		c.SetReadDeadline(time.Now().Add(time.Nanosecond))
		k, a, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return got
		}
		if a != from {
			t.Errorf("a packet came from %v, want %v", a, from)
		}
		got = append(got, string(buf[:k]))
	}
}

// TestGroupOrder: what a conn sends to a group and to a member itself at one
// instant arrives in the order of the writes.
func TestGroupOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		a, b := openAt(t, n, addr("10.0.0.1:1")), openAt(t, n, addr("10.0.0.2:1"))
		if err := b.JoinGroup(testGroup); err != nil {
			t.Fatal(err)
		}
		group := netip.AddrPortFrom(testGroup, 1)
		for _, w := range []struct {
			to      netip.AddrPort
			payload string
		}{{group, "1"}, {b.AddrPort(), "2"}, {group, "3"}, {group, "4"}, {b.AddrPort(), "5"}} {
			if _, err := a.WriteToUDPAddrPort([]byte(w.payload), w.to); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if got := drain(t, b, a.AddrPort()); !slices.Equal(got, []string{"1", "2", "3", "4", "5"}) {
			t.Errorf("arrived %q", got)
		}
	})
}

// TestGroupJoinAtOnce: who joins at the instant of a write gets the packet,
// whichever came first.
func TestGroupJoinAtOnce(t *testing.T) {
	for _, first := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n := lossy.NewNetwork()
			a, b := openAt(t, n, addr("10.0.0.1:1")), openAt(t, n, addr("10.0.0.2:1"))
			if first {
				b.JoinGroup(testGroup)
			}
			a.WriteToUDPAddrPort([]byte("x"), netip.AddrPortFrom(testGroup, 1))
			if !first {
				b.JoinGroup(testGroup)
			}
			receive(t, b)
		})
	}
}

// TestGroupSix has a group of IPv6, and one of a link.
func TestGroupSix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		a, b := openAt(t, n, addr("[fd00::1]:1")), openAt(t, n, addr("[fd00::2]:1"))
		if err := b.JoinGroup(netip.MustParseAddr("ff02::77%eth0")); err != nil {
			t.Fatal(err)
		}
		for _, to := range []string{"[ff02::77]:1", "[ff02::77%eth1]:1"} {
			if _, err := a.WriteToUDPAddrPort([]byte("x"), addr(to)); err != nil {
				t.Fatal(err)
			}
			receive(t, b)
		}
	})
}

func TestGroupErrors(t *testing.T) {
	n := lossy.NewNetwork()
	c := open(t, n)
	join, leave := c.JoinGroup, c.LeaveGroup
	if err := join(testGroup); err != nil {
		t.Fatal(err)
	}
	for i, test := range []struct {
		err, want error
	}{
		{join(testGroup), syscall.EADDRINUSE},
		{join(netip.MustParseAddr("::ffff:239.1.2.3")), syscall.EADDRINUSE},
		{join(netip.MustParseAddr("10.0.0.1")), syscall.EINVAL},
		{join(netip.MustParseAddr("ff02::1")), syscall.EINVAL},
		{join(netip.Addr{}), syscall.EINVAL},
		{leave(netip.MustParseAddr("239.9.9.9")), syscall.EADDRNOTAVAIL},
		{leave(netip.MustParseAddr("10.0.0.1")), syscall.EINVAL},
		{leave(testGroup), nil},
		{leave(testGroup), syscall.EADDRNOTAVAIL},
	} {
		var op *net.OpError
		if !errors.Is(test.err, test.want) || test.want != nil && !errors.As(test.err, &op) {
			t.Errorf("case %d: %v, want %v", i, test.err, test.want)
		}
	}
	c.Close()
	if err := join(testGroup); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed conn joins: %v", err)
	}
}
