package multicast

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
)

func TestLeave(t *testing.T) {
	lo := loopbackName(t)
	for _, f := range families {
		if f.name == "IPv6" && os.Getenv(inNamespace) == "" {
			continue
		}
		a, b := Membership{Group: netip.MustParseAddr(f.a)}, Membership{Group: netip.MustParseAddr(f.b)}
		conn := listenAt(t, Config{Interface: lo}, f.anywhere, a, b)
		sender := listenAt(t, Config{Interface: lo}, f.anywhere)
		if err := conn.Leave(a); err != nil {
			t.Error(err)
		}
		sendTo(t, sender, at(f.a, port(conn)), "for A")
		sendTo(t, sender, at(f.b, port(conn)), "for B")
		receive(t, conn, "for B")
		if err := conn.Leave(a); !errors.Is(err, ErrNotJoined) {
			t.Errorf("leaving twice: %v", err)
		}
		if err := conn.Join(b); !errors.Is(err, ErrJoined) {
			t.Errorf("joining twice: %v", err)
		}
		if err := conn.Join(a); err != nil {
			t.Error(err)
		}
		sendTo(t, sender, at(f.a, port(conn)), "again")
		receive(t, conn, "again")
	}
}

// TestSources: loopback has many hosts in IPv4.
func TestSources(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("127.0.0.2 is a host on Linux only")
	}
	lo := loopbackName(t)
	one, two, three := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")
	if os.Getenv(inNamespace) != "" {
		t.Skip("127.0.0.2 is a host of the loopback interface only")
	}
	for _, group := range []string{"232.1.2.3", "239.255.77.3"} {
		g := netip.MustParseAddr(group)
		sources := []netip.Addr{one, three}
		include := listenAt(t, Config{Interface: lo}, "0.0.0.0:0", Membership{Group: g, Include: sources})
		clear(sources) // they are the caller's again
		for _, from := range []string{"127.0.0.2:0", "127.0.0.3:0", "127.0.0.1:0"} {
			sendTo(t, listenAt(t, Config{Interface: lo}, from), at(group, port(include)), from)
		}
		receive(t, include, "127.0.0.3:0")
		receive(t, include, "127.0.0.1:0")
	}
	g := netip.MustParseAddr("239.255.77.3")
	exclude := listenAt(t, Config{Interface: lo}, "0.0.0.0:0", Membership{Group: g, Exclude: []netip.Addr{two}})
	for _, from := range []string{"127.0.0.2:0", "127.0.0.3:0", "127.0.0.1:0"} {
		sendTo(t, listenAt(t, Config{Interface: lo}, from), at(g.String(), port(exclude)), from)
	}
	receive(t, exclude, "127.0.0.3:0")
	receive(t, exclude, "127.0.0.1:0")
}

// TestSourceZones: a source is the same with the zone of its interface and without, and
// with another's it is a mistake.
func TestSourceZones(t *testing.T) {
	lo := loopbackName(t)
	if pc, err := net.ListenPacket("udp6", "[::]:0"); err != nil {
		t.Skip("no IPv6: ", err)
	} else {
		pc.Close()
	}
	one, two := netip.MustParseAddr("fe80::77:1"), netip.MustParseAddr("fe80::77:2")
	zoned := []netip.Addr{one.WithZone(lo)}
	include := Membership{Group: netip.MustParseAddr("ff12::77:3"), Include: zoned}
	exclude := Membership{Group: netip.MustParseAddr("ff12::77:4"), Exclude: zoned}
	conn := listenAt(t, Config{Interface: lo}, "[::]:0", include, exclude)
	for _, tt := range []struct {
		m      Membership
		source netip.Addr
		want   bool
	}{
		{include, one, true},
		{include, two, false},
		{exclude, one, false},
		{exclude, two, true},
	} {
		for _, zone := range []string{"", lo} {
			from := netip.AddrPortFrom(tt.source.WithZone(zone), 9)
			if got := conn.filter.Load().wants(&Info{Source: from, Destination: tt.m.Group}); got != tt.want {
				t.Errorf("%+v: a packet from %v is wanted: %v", tt.m, from, got)
			}
		}
	}
	if zoned[0].Zone() != lo {
		t.Error("the caller's sources are changed")
	}
	for _, m := range []Membership{
		{Group: netip.MustParseAddr("ff12::77:5"), Include: []netip.Addr{one.WithZone("nonsuch0")}},
		{Group: netip.MustParseAddr("ff12::77:5"), Exclude: []netip.Addr{two, one.WithZone("nonsuch0")}},
	} {
		if err := conn.Join(m); !errors.Is(err, ErrFilter) {
			t.Errorf("joining %+v: %v, want ErrFilter", m, err)
		}
	}
}

// TestManyGroups: more than the system lets one socket join, and still no others.
func TestManyGroups(t *testing.T) {
	lo := loopbackName(t)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			f.needs(t)
			base := netip.MustParseAddr(f.a).AsSlice()
			group := func(i int) netip.Addr {
				base[len(base)-1], base[len(base)-2] = byte(i), 99
				g, _ := netip.AddrFromSlice(base)
				return g
			}
			conn := listenAt(t, Config{Interface: lo}, f.anywhere, Membership{Group: group(100)})
			sender := listenAt(t, Config{Interface: lo}, f.anywhere)
			sendTo(t, sender, at(group(100).String(), port(conn)), "who am I")
			source := receive(t, conn, "who am I").Source.Addr()
			if source.IsUnspecified() {
				t.Skip("this host has no address but that of its loopback interface")
			}
			for i := range 100 {
				m := Membership{Group: group(i)}
				if i%10 == 9 {
					m.Exclude = []netip.Addr{source}
				}
				if err := conn.Join(m); err != nil {
					t.Fatal(err)
				}
			}
			other := listenAt(t, Config{Interface: lo}, f.anywhere, Membership{Group: group(200)})
			sendTo(t, sender, at(group(200).String(), port(conn)), "for nobody here")
			sendTo(t, sender, at(group(200).String(), port(other)), "for the other")
			for i := range 100 {
				sendTo(t, sender, at(group(i).String(), port(conn)), fmt.Sprint(i))
			}
			for i := range 100 {
				if i%10 != 9 {
					if info := receive(t, conn, fmt.Sprint(i)); info.Destination != group(i) {
						t.Errorf("packet %d: %+v", i, info)
					}
				}
			}
			receive(t, other, "for the other")
			for i := range 99 {
				if err := conn.Leave(Membership{Group: group(i)}); err != nil {
					t.Fatal(err)
				}
			}
			sendTo(t, sender, at(group(50).String(), port(conn)), "left")
			sendTo(t, sender, at(f.host, port(conn)), "left")
			if err := conn.Join(Membership{Group: group(0)}); err != nil {
				t.Fatal(err)
			}
			sendTo(t, sender, at(group(0).String(), port(conn)), "the last")
			receive(t, conn, "the last")
			conn.Close()
			for i, s := range conn.holders {
				if err := s.udp.Close(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("socket %d that held groups was left open: %v", i, err)
				}
			}
		})
	}
}

// TestBounds: no number of groups that are sent to makes memory, or the sockets that a
// TTL of 0 takes, grow without limit.
func TestBounds(t *testing.T) {
	lo := loopbackName(t)
	conn := listenAt(t, Config{Interface: lo}, "0.0.0.0:0")
	near := listenAt(t, Config{Interface: lo, TTL: -1}, "0.0.0.0:0")
	var err error
	for i := range maxAllowed + maxHeld {
		group := netip.AddrFrom4([4]byte{239, 77, byte(i >> 8), byte(i)}).String()
		sendTo(t, conn, at(group, 9), "x")
		if i <= maxHeld {
			_, err = near.WriteTo([]byte("x"), at(group, 9))
		}
		if i < maxHeld && err != nil {
			t.Fatalf("group %d: %v", i+1, err)
		}
	}
	if len(conn.allowed) > maxAllowed || len(near.holds) != maxHeld || err == nil {
		t.Errorf("%d groups are remembered, %d held; one more: %v", len(conn.allowed), len(near.holds), err)
	}
	sendTo(t, near, at("239.77.0.0", 9), "x") // which is held
}
