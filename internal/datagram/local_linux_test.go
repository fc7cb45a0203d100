package datagram

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A server on all addresses is told which one it was asked at, and answers from it. It
// works on sockets of IPv4, IPv6 and both, alone and with joined datagrams.
func TestLocal(t *testing.T) {
	for _, test := range []struct{ network, client, asked string }{
		{"udp4", "udp4", "127.0.0.1"},
		{"udp4", "udp4", "127.0.0.2"},
		{"udp6", "udp6", "::1"},
		{"udp", "udp4", "127.0.0.1"},
		{"udp", "udp4", "127.0.0.3"},
		{"udp", "udp6", "::1"},
	} {
		for _, join := range []bool{false, true} {
			t.Run(test.network+" "+test.asked, func(t *testing.T) {
				if test.client == "udp6" {
					loopback(t, "udp6", "[::1]:0") // skips the test where there is no IPv6
				}
				pc := loopback(t, test.network, ":0")
				server := Open(t.Context(), pc, Config{Local: true, Join: join, ReadSize: 1500})
				defer server.Release()
				asked := netip.AddrPortFrom(netip.MustParseAddr(test.asked), addrOf(pc).Port())
				// Only packets from the address that was asked reach a connected socket.
				client, err := net.DialUDP(test.client, nil, net.UDPAddrFromAddrPort(asked))
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				ask := func() []Packet {
					if _, err := client.Write([]byte("where?")); err != nil {
						t.Fatal(err)
					}
					pkts, err := server.Read(time.Now().Add(10 * time.Second))
					if err != nil {
						t.Fatal(err)
					}
					return pkts
				}
				// The first may have arrived before the option was set.
				for _, p := range [][]Packet{ask(), ask()} {
					if len(p) != 1 || p[0].Local != asked.Addr() {
						t.Errorf("asked at %v, want %v", p, asked.Addr())
					}
				}
				request := ask()[0]
				answers := alikePackets(5, 100, request.Addr)
				for i := range answers {
					answers[i].Local = request.Local
				}
				if n, err := server.Write(answers); n != 5 || err != nil {
					t.Fatalf("Write = %d, %v", n, err)
				}
				client.SetReadDeadline(time.Now().Add(10 * time.Second))
				for i := range answers {
					b := make([]byte, 200)
					if n, err := client.Read(b); n != 100 || err != nil || b[0] != byte(i) {
						t.Fatalf("answer %d: %d bytes, %v", i, n, err)
					}
				}
			})
		}
	}
}

// A conn that is bound to one address has no choice, and one that was not asked does not
// tell.
func TestNoLocal(t *testing.T) {
	for _, test := range []struct {
		addr string
		cfg  Config
	}{{"127.0.0.1:0", Config{Local: true}}, {":0", Config{}}} {
		pc := loopback(t, "udp4", test.addr)
		c := Open(t.Context(), pc, test.cfg)
		defer c.Release()
		other := loopback(t, "udp4", "127.0.0.1:0")
		if _, err := other.WriteToUDPAddrPort([]byte("x"), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), addrOf(pc).Port())); err != nil {
			t.Fatal(err)
		}
		pkts, err := c.Read(time.Time{})
		if err != nil || len(pkts) != 1 || pkts[0].Local.IsValid() {
			t.Errorf("%v: %v, %v", test.addr, pkts, err)
		}
	}
}

func TestLocalNoAllocations(t *testing.T) {
	pc := loopback(t, "udp", ":0")
	c := Open(t.Context(), pc, Config{Local: true, ReadSize: 1500})
	defer c.Release()
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), addrOf(pc).Port())
	pkts := alikePackets(4, 100, to)
	for i := range pkts {
		pkts[i].Local = to.Addr()
	}
	run := func() {
		if _, err := c.Write(pkts); err != nil {
			t.Fatal(err)
		}
		readAll(t, c, len(pkts))
	}
	for range 4 {
		run()
	}
	if allocs := testing.AllocsPerRun(50, func() {
		if _, err := c.Write(pkts); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(pkts); {
			got, err := c.Read(time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			n += len(got)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// A packet from an address that this host does not have leaves from another, and that stops
// no segmentation.
func TestLocalGone(t *testing.T) {
	in := loopback(t, "udp4", "127.0.0.1:0")
	c, w := segmenting(t, "udp4")
	pkts := alikePackets(3, 100, addrOf(in))
	for i := range pkts {
		pkts[i].Local = netip.MustParseAddr("192.0.2.77")
	}
	if n, err := c.Write(pkts); n != 3 || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	r := Open(t.Context(), in, Config{})
	defer r.Release()
	readAll(t, r, 3)
	if !w.segment || !w.able {
		t.Error("segmentation is off")
	}
}

// Packets with different sources do not go in one message.
func TestLocalSplitsSegments(t *testing.T) {
	in := loopback(t, "udp4", "127.0.0.1:0")
	c, w := segmenting(t, "udp4")
	var lengths []int
	call := w.call
	w.call = func(fd uintptr, msgs []unix.Mmsghdr) (int, syscall.Errno) {
		for _, m := range msgs {
			lengths = append(lengths, int(m.Hdr.Iovlen))
		}
		return call(fd, msgs)
	}
	pkts := alikePackets(5, 100, addrOf(in))
	pkts[2].Local, pkts[3].Local = netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.2")
	if n, err := c.Write(pkts); n != 5 || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if len(lengths) != 3 || lengths[0] != 2 || lengths[1] != 2 || lengths[2] != 1 {
		t.Errorf("messages of %v datagrams, want 2, 2 and 1", lengths)
	}
	in.SetReadDeadline(time.Now().Add(10 * time.Second))
	for i := range pkts {
		_, from, err := in.ReadFromUDPAddrPort(make([]byte, 200))
		want := "127.0.0.1"
		if pkts[i].Local.IsValid() {
			want = "127.0.0.2"
		}
		if err != nil || from.Addr().String() != want {
			t.Errorf("packet %d comes from %v, %v; want %s", i, from, err, want)
		}
	}
}

// What the kernel tells about destinations, byte by byte.
func TestInfo(t *testing.T) {
	lo, err := net.InterfaceByIndex(1)
	if err != nil {
		t.Skip("no interface 1:", err)
	}
	addr := netip.MustParseAddr
	four := func(local, destination string) func(*control, int) int {
		return func(c *control, at int) int {
			data, next := c.put(at, unix.IPPROTO_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
			data[0], data[3] = 1, 1 // 0x01000001 in either order of bytes
			copy(data[4:], addr(local).AsSlice())
			copy(data[8:], addr(destination).AsSlice())
			return next
		}
	}
	six := func(destination string) func(*control, int) int {
		return func(c *control, at int) int {
			var z zones
			return c.putSource(at, addr(destination+"%1"), &z)
		}
	}
	number := func(level, kind int32) func(*control, int) int {
		return func(c *control, at int) int {
			data, next := c.put(at, level, kind, 4)
			data[0], data[3] = 9, 9
			return next
		}
	}
	mapped := func(c *control, at int) int { // an IPv4 destination at a dual-stack socket
		data, next := c.put(at, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
		a := addr("::ffff:192.0.2.1").As16()
		copy(data, a[:])
		return next
	}
	const nines = 9<<24 | 9
	for _, test := range []struct {
		name string
		put  []func(*control, int) int
		want Info
	}{
		{"IPv4", []func(*control, int) int{four("192.0.2.1", "192.0.2.1")}, Info{Destination: addr("192.0.2.1"), Local: addr("192.0.2.1"), Interface: 1<<24 | 1}},
		{"IPv4 before the option", []func(*control, int) int{four("0.0.0.0", "192.0.2.1")}, Info{Destination: addr("192.0.2.1"), Local: addr("192.0.2.1"), Interface: 1<<24 | 1}},
		{"IPv4 group", []func(*control, int) int{four("192.0.2.1", "239.0.0.1")}, Info{Destination: addr("239.0.0.1"), Interface: 1<<24 | 1}},
		{"broadcast", []func(*control, int) int{four("192.0.2.1", "192.0.2.255")}, Info{Destination: addr("192.0.2.255"), Broadcast: true, Interface: 1<<24 | 1}},
		{"limited broadcast", []func(*control, int) int{four("0.0.0.0", "255.255.255.255")}, Info{Destination: addr("255.255.255.255"), Broadcast: true, Interface: 1<<24 | 1}},
		{"IPv6", []func(*control, int) int{six("2001:db8::1")}, Info{Destination: addr("2001:db8::1"), Local: addr("2001:db8::1"), Interface: 1}},
		{"link-local", []func(*control, int) int{six("fe80::1")}, Info{Destination: addr("fe80::1"), Local: addr("fe80::1%" + lo.Name), Interface: 1}},
		{"IPv6 group", []func(*control, int) int{six("ff02::1")}, Info{Destination: addr("ff02::1"), Interface: 1}},
		{"dual-stack", []func(*control, int) int{mapped}, Info{Destination: addr("192.0.2.1"), Local: addr("192.0.2.1")}},
		{
			"dual-stack broadcast",
			[]func(*control, int) int{four("192.0.2.7", "192.0.2.1"), mapped},
			Info{Destination: addr("192.0.2.1"), Broadcast: true, Interface: 1<<24 | 1},
		},
		{
			"dual-stack broadcast, the other way",
			[]func(*control, int) int{mapped, four("192.0.2.7", "192.0.2.1")},
			Info{Destination: addr("192.0.2.1"), Broadcast: true, Interface: 1<<24 | 1},
		},
		{"TTL", []func(*control, int) int{number(unix.IPPROTO_IP, unix.IP_TTL)}, Info{TTL: nines}},
		{"hop limit", []func(*control, int) int{number(unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT)}, Info{TTL: nines}},
		{
			"all",
			[]func(*control, int) int{number(unix.SOL_UDP, unix.UDP_GRO), number(unix.SOL_SOCKET, 99), six("2001:db8::1")},
			Info{Segment: nines, Destination: addr("2001:db8::1"), Local: addr("2001:db8::1"), Interface: 1},
		},
	} {
		var c control
		for i := range c {
			c[i] = ^uint64(0)
		}
		end := 0
		for _, put := range test.put {
			end = put(&c, end)
		}
		var got Info
		got.parse(&c, end, new(zones))
		if got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}
