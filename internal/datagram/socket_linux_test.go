package datagram

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/google/go-cmp/cmp"
)

// A real socket gets the fast path, so that the other tests test it.
func TestSocketIsFast(t *testing.T) {
	for _, network := range []string{"udp4", "udp6", "udp"} {
		in, out, _ := paths(loopback(t, network, ":0"), &Config{})
		if _, ok := in.(*pollingReader); !ok {
			t.Errorf("%s is read by %T", network, in)
		}
		if w, ok := out.(*batchWriter); !ok {
			t.Errorf("%s is written by %T", network, out)
		} else if _, ok := w.conn.(*socketWriter); !ok {
			t.Errorf("%s is written by %T", network, w.conn)
		}
	}
	conn := loopback(t, "udp4", "127.0.0.1:0")
	conn.Close()
	if in, out, _ := paths(conn, &Config{}); in == nil || out == nil {
		t.Error("a closed conn cannot even be tried")
	}
}

// pair is a fast Conn over one socket, and another socket to talk to it.
func pair(t *testing.T, cfg Config) (c *Conn, r *SocketReader, w *socketWriter, other *net.UDPConn) {
	t.Helper()
	conn := loopback(t, "udp4", "127.0.0.1:0")
	br, bw := Batches(conn)
	r, w = br.(*SocketReader), bw.(*socketWriter)
	c = open(t.Context(), conn, newBatchReader(r, &cfg, false), newBatchWriter(w, &cfg))
	t.Cleanup(c.Release)
	return c, r, w, loopback(t, "udp4", "127.0.0.1:0")
}

// An eagerRaw is a RawConn that does not wait until a socket is ready, but asks again
// at once: a test that says EAGAIN where the kernel would not waits for ever otherwise.
type eagerRaw struct {
	syscall.RawConn
	again int
}

func (r *eagerRaw) Write(f func(fd uintptr) bool) error {
	return r.Control(func(fd uintptr) {
		for !f(fd) {
			r.again++
		}
	})
}

// The kernel may be interrupted, not ready, or not inclined to take all at once.
func TestSendmmsg(t *testing.T) {
	c, _, w, other := pair(t, Config{})
	w.segments(false)
	raw := &eagerRaw{RawConn: w.raw}
	w.raw = raw
	var calls []int
	w.call = func(fd uintptr, msgs []unix.Mmsghdr) (int, syscall.Errno) {
		calls = append(calls, len(msgs))
		switch len(calls) {
		case 1, 3:
			return 0, unix.EINTR
		case 2:
			return 0, unix.EAGAIN // the runtime asks again when there is room
		case 4:
			return sendmmsg(fd, msgs[:2])
		case 5:
			return 0, unix.ECONNREFUSED
		}
		return sendmmsg(fd, msgs)
	}
	var pkts []Packet
	var want []string
	for i := range defaultBatch + 3 {
		pkts = append(pkts, Packet{Data: []byte{byte(i)}, Addr: addrOf(other)})
		want = append(want, string(rune(i)))
	}
	if n, err := c.Write(pkts); n != len(pkts) || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if diff := cmp.Diff([]int{32, 32, 32, 32, 30, 32, 1}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if raw.again != 1 {
		t.Errorf("%d waits", raw.again)
	}
	r := Open(t.Context(), other, Config{})
	defer r.Release()
	if diff := cmp.Diff(want, texts(readAll(t, r, len(pkts)))); diff != "" {
		t.Errorf("arrived (-want +got):\n%s", diff)
	}
	for _, iov := range w.msgs.iovs {
		if iov.Base != nil {
			t.Fatal("a packet is kept")
		}
	}
}

func TestRecvmmsg(t *testing.T) {
	c, r, _, other := pair(t, Config{Batch: 4})
	var calls []int
	r.call = func(fd uintptr, msgs []unix.Mmsghdr) (int, syscall.Errno) {
		calls = append(calls, len(msgs))
		switch len(calls) {
		case 1:
			return 0, unix.EINTR
		case 2:
			return 0, unix.ECONNREFUSED
		}
		return recvmmsg(fd, msgs)
	}
	for _, s := range []string{"a", "bb", "ccc", "", "eeeee"} {
		if _, err := other.WriteTo([]byte(s), c.watch.pc.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range [][]string{{"a", "bb"}, {"ccc", "", "eeeee"}} {
		pkts, err := c.Read(time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, texts(pkts)); diff != "" {
			t.Errorf("packets (-want +got):\n%s", diff)
		}
		for _, p := range pkts {
			if p.Addr != addrOf(other) {
				t.Errorf("from %v, want %v", p.Addr, addrOf(other))
			}
		}
	}
	if diff := cmp.Diff([]int{2, 2, 2, 4}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// The reader and writer that Batches returns work without a Conn.
func TestBatchesOfSocket(t *testing.T) {
	_, r, w, _ := pair(t, Config{})
	interrupted := 0
	once := func(call mmsgCall) mmsgCall {
		return func(fd uintptr, msgs []unix.Mmsghdr) (int, syscall.Errno) {
			if interrupted++; interrupted == 1 {
				return 0, unix.EINTR
			}
			return call(fd, msgs[:min(len(msgs), 2)])
		}
	}
	w.call = once(sendmmsg)
	bufs := [][]byte{[]byte("a"), nil, []byte("ccc"), []byte("dd"), []byte("e")}
	to := make([]netip.AddrPort, len(bufs))
	for i := range to {
		to[i] = addrPort(r.conn.LocalAddr())
	}
	if n, err := w.WriteBatch(bufs, to, nil); n != len(bufs) || err != nil {
		t.Errorf("WriteBatch = %d, %v", n, err)
	}
	to[3] = netip.AddrPort{}
	if n, err := w.WriteBatch(bufs, to, nil); n != 3 || !errors.Is(err, errNoAddr) {
		t.Errorf("WriteBatch = %d, %v", n, err)
	}
	if n, err := w.WriteBatch(nil, nil, nil); n != 0 || err != nil {
		t.Errorf("WriteBatch of nothing = %d, %v", n, err)
	}

	interrupted = 0
	r.call = once(recvmmsg)
	in := [][]byte{make([]byte, 2), make([]byte, 2), make([]byte, 2), make([]byte, 2)}
	sizes, segments, from := []int{9, 9, 9, 9}, []int{9, 9, 9, 9}, make([]netip.AddrPort, 4)
	n, err := r.ReadBatch(in, sizes, segments, from, nil)
	if n != 2 || err != nil {
		t.Fatalf("ReadBatch = %d, %v", n, err)
	}
	if diff := cmp.Diff([][]int{{1, 0, 9, 9}, {0, 0, 9, 9}}, [][]int{sizes, segments}); diff != "" {
		t.Errorf("sizes and segments (-want +got):\n%s", diff)
	}
	if in[0][0] != 'a' || from[0] != addrPort(w.conn.LocalAddr()) || from[1] != from[0] {
		t.Errorf("%q from %v", in[0], from)
	}
	if n, err := r.PollBatch(in, sizes, segments, from, nil); n != 2 || err != nil || sizes[0] != 2 {
		t.Errorf("pollBatch = %d, %v; sizes %v, want the first cut off at 2", n, err, sizes)
	}
}

// Looking without waiting finds nothing, at once, or that the socket is closed.
func TestPollBatchOfNothing(t *testing.T) {
	_, r, _, _ := pair(t, Config{})
	bufs, ints, from := [][]byte{make([]byte, 2)}, make([]int, 1), make([]netip.AddrPort, 1)
	if n, err := r.PollBatch(bufs, ints, ints, from, nil); n != 0 || err != nil {
		t.Errorf("pollBatch = %d, %v", n, err)
	}
	r.conn.Close()
	if n, err := r.PollBatch(bufs, ints, ints, from, nil); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("pollBatch of a closed socket = %d, %v", n, err)
	}
}

// An error of the kernel says what was tried, and where.
func TestMmsgErrorText(t *testing.T) {
	c, r, w, other := pair(t, Config{})
	w.call = func(uintptr, []unix.Mmsghdr) (int, syscall.Errno) { return 0, unix.EPERM }
	r.call = func(uintptr, []unix.Mmsghdr) (int, syscall.Errno) { return 0, unix.ENOTCONN }
	w.zones.indexes = map[string]uint32{"eth0": 77}
	_, err := c.Write([]Packet{{Data: nil, Addr: addrOf(other)}})
	if len(w.zones.indexes) != 0 {
		t.Error("the numbers of interfaces are not looked up again")
	}
	want := "write udp " + c.LocalAddr().String() + "->" + addrOf(other).String() + ": sendmmsg: operation not permitted"
	if err == nil || err.Error() != want {
		t.Errorf("Write: %v, want %s", err, want)
	}
	_, err = c.Read(time.Time{})
	want = "read udp " + c.LocalAddr().String() + ": recvmmsg: transport endpoint is not connected"
	if err == nil || err.Error() != want {
		t.Errorf("Read: %v, want %s", err, want)
	}
}

func TestOffers(t *testing.T) {
	conn := loopback(t, "udp4", "127.0.0.1:0")
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for errno, want := range map[syscall.Errno]bool{
		0: true, unix.ENOSYS: false, unix.EPERM: false, unix.ECONNREFUSED: true,
	} {
		got := offers(raw, func(fd uintptr, msgs []unix.Mmsghdr) (int, syscall.Errno) {
			if len(msgs) != 0 {
				t.Error("it was asked to do something")
			}
			return 0, errno
		})
		if got != want {
			t.Errorf("%v: offers = %v", errno, got)
		}
	}
	conn.Close()
	if offers(raw, recvmmsg) {
		t.Error("a closed socket offers something")
	}
}

func TestSockaddr(t *testing.T) {
	lo, err := net.InterfaceByIndex(1)
	if err != nil {
		t.Skip("no interface 1:", err)
	}
	const four, six = unix.AF_INET, unix.AF_INET6
	for _, test := range []struct {
		addr   string
		family int
		bytes  string // of the address, where the kernel looks
		back   string // if not addr
	}{
		{addr: "1.2.3.4:258", family: four, bytes: "\x01\x02\x03\x04"},
		{addr: "[::ffff:1.2.3.4]:258", family: four, bytes: "\x01\x02\x03\x04", back: "1.2.3.4:258"},
		{
			addr: "1.2.3.4:258", family: six,
			bytes: "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04",
		},
		{
			addr: "[2001:db8::5]:258", family: six,
			bytes: "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05",
		},
		{addr: "0.0.0.0:258", family: six, bytes: "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", back: "[::]:258"},
		{addr: "[fe80::1%" + lo.Name + "]:258", family: six, bytes: "\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"},
		{addr: "[fe80::1%1]:258", family: six, bytes: "\xfe\x80", back: "[fe80::1%" + lo.Name + "]:258"},
		{addr: "[fe80::1%4000000000]:258", family: six, bytes: "\xfe\x80"}, // no such interface
	} {
		var s sockaddr
		for i := range s {
			s[i] = 0xee // nothing may be left of what was there
		}
		var z zones
		addr := netip.MustParseAddrPort(test.addr)
		n, err := s.set(addr, test.family, &z)
		if err != nil {
			t.Errorf("%s: %v", test.addr, err)
			continue
		}
		if s[2] != 1 || s[3] != 2 {
			t.Errorf("%s: port is % x", test.addr, s[2:4])
		}
		at := map[int]int{four: 4, six: 8}[test.family]
		if got := string(s[at : at+len(test.bytes)]); got != test.bytes {
			t.Errorf("%s: address is % x", test.addr, got)
		}
		want := addr
		if test.back != "" {
			want = netip.MustParseAddrPort(test.back)
		}
		if got := s.addrPort(n, &z); got != want {
			t.Errorf("%s: back comes %v, want %v", test.addr, got, want)
		}
		if got := s.addrPort(n-1, &z); got.IsValid() {
			t.Errorf("%s: cut off it is %v", test.addr, got)
		}
	}

	var s sockaddr
	var z zones
	var addrErr *net.AddrError
	if _, err := s.set(netip.MustParseAddrPort("[2001:db8::5]:1"), four, &z); !errors.As(err, &addrErr) {
		t.Errorf("an IPv6 address for an IPv4 socket: %v", err)
	}
	if _, err := s.set(netip.MustParseAddrPort("[ff12::5%nonsuch0]:1"), six, &z); !errors.As(err, &addrErr) {
		t.Errorf("a zone that is no interface: %v", err)
	}
	s = sockaddr{} // AF_UNSPEC
	if got := s.addrPort(uint32(len(s)), &z); got.IsValid() {
		t.Errorf("no address is %v", got)
	}
}

func TestZones(t *testing.T) {
	var z zones
	for i := range uint32(3 * maxZones) {
		z.name(1_000_000 + i)
		z.index("no such interface" + string(rune('0'+i)))
	}
	if len(z.names) > maxZones || len(z.indexes) > maxZones {
		t.Errorf("%d names and %d numbers remembered", len(z.names), len(z.indexes))
	}
	if got := z.index("no such interface"); got != 0 {
		t.Errorf("no such interface is %d", got)
	}
	z.indexes["lo"] = 77
	z.forget()
	if lo, err := net.InterfaceByName("lo"); err == nil && z.index("lo") != uint32(lo.Index) {
		t.Errorf("lo is %d", z.index("lo"))
	}
}

// Link-local addresses keep their zone both ways.
func TestLinkLocal(t *testing.T) {
	addr, ok := linkLocal()
	if !ok {
		t.Skip("no interface has a link-local IPv6 address")
	}
	in := loopback(t, "udp6", netip.AddrPortFrom(addr, 0).String())
	out := loopback(t, "udp6", netip.AddrPortFrom(addr, 0).String())
	r := Open(t.Context(), in, Config{})
	defer r.Release()
	w := Open(t.Context(), out, Config{})
	defer w.Release()
	if n, err := w.Write([]Packet{{Data: []byte("data"), Addr: r.LocalAddr()}}); n != 1 || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	comparePackets(t, []Packet{{Data: []byte("data"), Addr: w.LocalAddr()}}, readAll(t, r, 1))

	pkts := []Packet{{Data: []byte("data"), Addr: r.LocalAddr()}}
	if allocs := testing.AllocsPerRun(50, func() {
		if _, err := w.Write(pkts); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Read(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations for a packet with a zone", allocs)
	}
}

func linkLocal() (netip.Addr, bool) {
	ifis, _ := net.Interfaces()
	for _, ifi := range ifis {
		addrs, _ := ifi.Addrs()
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() {
				return p.Addr().WithZone(ifi.Name), true
			}
		}
	}
	return netip.Addr{}, false
}
