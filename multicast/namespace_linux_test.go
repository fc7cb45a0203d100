package multicast

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestInNamespace runs the tests of this package again in a network namespace of their
// own. It has an interface v0 that is not loopback; packets that leave through it arrive at
// v1.
func TestInNamespace(t *testing.T) {
	if os.Getenv(inNamespace) != "" {
		t.Skip("is there already")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("there is no ip(8)")
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^Test", "-test.v", "-test.timeout=10m")
	c.Env = append(os.Environ(), inNamespace+"=v0")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := c.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("may not create network namespaces")
	}
	if c.ProcessState.ExitCode() == unfit {
		t.Skipf("this is no machine for it: %s", out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "--- FAIL") || strings.Contains(line, "_test.go") {
			t.Log(strings.TrimRight(line, "\n"))
		}
	}
	if err != nil {
		t.Errorf("%v", err)
	}
	if strings.Count(string(out), "--- PASS") < 15 {
		t.Errorf("few tests ran:\n%s", out)
	}
}

// unfit is the status of a process whose namespace cannot be set up.
const unfit = 77

func TestMain(m *testing.M) {
	if os.Getenv(inNamespace) != "" {
		if err := setUp(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(unfit)
		}
	}
	os.Exit(m.Run())
}

func setUp() error {
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0o644); err != nil {
		return err
	}
	for _, command := range []string{
		"ip link set lo up", "ip link add v0 type veth peer name v1",
		"ip addr add 10.77.0.1/24 broadcast 10.77.0.255 dev v0", "ip link set v0 up", "ip link set v1 up",
	} {
		if err := try(command); err != nil {
			return err
		}
	}
	return nil
}

func try(command string) error {
	args := strings.Fields(command)
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, out)
	}
	return nil
}

func ip(command string) {
	if err := try(command); err != nil {
		panic(err)
	}
}

// inside skips a test that needs the namespace.
func inside(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		t.Skip("needs a namespace: see TestInNamespace")
	}
}

// A tap sees the packets that arrive at an interface.
type tap struct{ fd int }

func newTap(t *testing.T, at string) tap {
	t.Helper()
	all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, int(all))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	ifi, err := net.InterfaceByName(at)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifi.Index}); err != nil {
		t.Fatal(err)
	}
	return tap{fd}
}

// saw reports whether a packet with the text has arrived. A veth hands packets over
// before the call that sends them returns, or soon after: so a marker is waited for.
func (p tap) saw(t *testing.T, text, marker string) (found bool) {
	t.Helper()
	buf := make([]byte, 2000)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		n, _, err := unix.Recvfrom(p.fd, buf, 0)
		if err != nil {
			unix.Poll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, 100)
			continue
		}
		found = found || bytes.Contains(buf[:n], []byte(text))
		if bytes.Contains(buf[:n], []byte(marker)) {
			return found
		}
	}
	t.Fatalf("the marker did not arrive")
	return false
}

// TestTTLZero: such packets reach this host and never the wire, although no program
// here has joined.
func TestTTLZero(t *testing.T) {
	inside(t)
	for _, f := range families {
		wire := newTap(t, "v1")
		far := listenAt(t, Config{Interface: "v0"}, f.anywhere)
		near := listenAt(t, Config{Interface: "v0", TTL: -1}, f.anywhere)
		wire.ready(t, far, at(f.a, 9))
		sendTo(t, near, at(f.b, 9), "must not leave")
		sendTo(t, far, at(f.a, 9), "the marker")
		if wire.saw(t, "must not leave", "the marker") {
			t.Errorf("%s: a packet with a TTL of 0 has left the host", f.name)
		}
		sendTo(t, far, at(f.b, 9), "may leave")
		sendTo(t, far, at(f.a, 9), "marker 2")
		if !wire.saw(t, "may leave", "marker 2") {
			t.Errorf("%s: a packet with a TTL of 1 has not left the host, so this test tests nothing", f.name)
		}
		hears := listenAt(t, Config{Interface: "v0"}, f.anywhere, Membership{Group: netip.MustParseAddr(f.b)})
		sendTo(t, near, at(f.b, port(hears)), "near")
		if info := receive(t, hears, "near"); info.TTL != 0 {
			t.Errorf("%s: %+v", f.name, info)
		}
	}
}

// TestBroadcast: limited (without a default route) and directed broadcasts are delivered to
// Conns with Config.Broadcast.
func TestBroadcast(t *testing.T) {
	inside(t)
	wire := newTap(t, "v1")
	hears := listenAt(t, Config{Broadcast: true}, "0.0.0.0:0")
	sender := listenAt(t, Config{Interface: "v0"}, "0.0.0.0:0")
	directed, err := DirectedBroadcast(netip.MustParsePrefix("10.77.0.1/24"))
	if err != nil {
		t.Fatal(err)
	}
	wire.ready(t, sender, at(directed.String(), 9))
	for _, to := range []netip.Addr{directed, LimitedBroadcast()} {
		sendTo(t, sender, at(to.String(), port(hears)), "broadcast to "+to.String())
		if !wire.saw(t, to.String(), to.String()) {
			t.Error("not sent")
		}
	}
	if info := receive(t, hears, "broadcast to 10.77.0.255"); info.Destination != directed {
		t.Errorf("info %+v", info)
	}
	other := listenAt(t, Config{}, "0.0.0.0:0")
	if _, err := other.WriteTo([]byte("x"), at("255.255.255.255", 9)); !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("without a route and an interface: %v", err)
	}
	n, err := sender.WriteBatch([][]byte{[]byte("one"), []byte("two"), []byte("three")}, []netip.AddrPort{
		netip.AddrPortFrom(directed, port(hears)), netip.AddrPortFrom(limited, 9), netip.AddrPortFrom(directed, port(hears)),
	}, nil)
	if n != 3 || err != nil {
		t.Errorf("a batch: %d, %v", n, err)
	}
	for _, want := range []string{"one", "three"} {
		for {
			hears.SetReadDeadline(time.Now().Add(patience))
			buf := make([]byte, 100)
			n, _, err := hears.ReadFrom(buf)
			if err != nil {
				t.Fatal(err)
			}
			if string(buf[:n]) == want {
				break
			}
		}
	}
}

// TestInterfaceComesBack: it is deleted and made again; the group is joined there.
func TestInterfaceComesBack(t *testing.T) {
	inside(t)
	addW0()
	defer ip("ip link del w0")
	for _, f := range families {
		lost, rejoined := make(chan Membership, 10), make(chan error, 10)
		c := Config{Interface: "w0", Trace: &Trace{
			InterfaceLost: func(m Membership) { lost <- m },
			Rejoined:      func(_ Membership, err error) { rejoined <- err },
		}}
		conn := listenAt(t, c, f.anywhere, Membership{Group: netip.MustParseAddr(f.a)})
		only := listenAt(t, Config{Interface: "w0"}, f.anywhere) // sends, and is in no group
		ip("ip link del w0")
		if m := <-lost; m.Group.String() != f.a || m.Interface != "w0" {
			t.Errorf("lost %+v", m)
		}
		addW0()
		for err := range rejoined {
			if err == nil {
				break
			}
		}
		conn.look() // also the interface to send through is the new one now
		sender := listenAt(t, Config{Interface: "w0"}, f.anywhere)
		sendTo(t, sender, at(f.a, port(conn)), "hello again")
		if info := receive(t, conn, "hello again"); info.Interface != "w0" {
			t.Errorf("info %+v", info)
		}
		sendTo(t, conn, at(f.a, port(conn)), "and to send")
		receive(t, conn, "and to send")
		if !arrives(only, conn, at(f.a, port(conn))) {
			t.Errorf("%s: who only sends does not find the interface again", f.name)
		}
		conn.Close()
	}
}

// addW0 adds w0. Packets that leave through it arrive at w1.
func addW0() {
	ip("ip link add w0 type veth peer name w1")
	ip("ip addr add 10.78.0.1/24 dev w0")
	ip("ip link set w0 up")
	ip("ip link set w1 up")
}

// ready sends packets until one arrives at the tap: an interface passes nothing on, and
// IPv6 has no route, until some time after it is up.
func (p tap) ready(t *testing.T, c *Conn, to net.Addr) {
	t.Helper()
	buf := make([]byte, 2000)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		_, _ = c.WriteTo([]byte("is it there?"), to)
		unix.Poll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, 10)
		if n, _, err := unix.Recvfrom(p.fd, buf, 0); err == nil && bytes.Contains(buf[:n], []byte("is it there?")) {
			return
		}
	}
	t.Fatal("nothing arrives")
}

// arrives sends packets until one arrives.
func arrives(from, at *Conn, to net.Addr) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		_, _ = from.WriteTo([]byte("again and again"), to)
		at.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, _, err := at.ReadFrom(make([]byte, 100)); err == nil {
			return true
		}
	}
	return false
}

// TestTTLZeroInterfaceComesBack: no packet leaves through the new interface, on which no
// socket has joined the group.
func TestTTLZeroInterfaceComesBack(t *testing.T) {
	inside(t)
	for _, f := range families {
		addW0()
		group := netip.MustParseAddr(f.b)
		near := listenAt(t, Config{Interface: "w0", TTL: -1}, f.anywhere)
		newTap(t, "w1").ready(t, listenAt(t, Config{Interface: "w0"}, f.anywhere), at(f.a, 9))
		sendTo(t, near, at(f.b, 9), "must not leave")
		ip("ip link del w0")
		near.holds[group].seen = time.Time{} // as if time had passed
		if _, err := near.WriteTo([]byte("x"), at(f.b, 9)); !errors.Is(err, ErrNoInterface) {
			t.Errorf("%s: without an interface: %v", f.name, err)
		}
		addW0()
		near.look()
		wire := newTap(t, "w1")
		far := listenAt(t, Config{Interface: "w0"}, f.anywhere)
		wire.ready(t, far, at(f.a, 9))
		sendTo(t, near, at(f.b, 9), "must not leave")
		sendTo(t, far, at(f.a, 9), "the marker")
		if wire.saw(t, "must not leave", "the marker") {
			t.Errorf("%s: a packet with a TTL of 0 has left the host", f.name)
		}
		near.Close()
		ip("ip link del w0")
	}
}

// TestSourcesIPv6: hosts that are included or excluded, with and without a source that
// the group needs.
func TestSourcesIPv6(t *testing.T) {
	inside(t)
	t.Run("Global", func(t *testing.T) { testSourcesIPv6(t, "fd77::", "") })
	t.Run("Zone", func(t *testing.T) { testSourcesIPv6(t, "fe80::77:", "%v0") })
}

func testSourcesIPv6(t *testing.T, prefix, zone string) {
	var hosts []string
	var addrs []netip.Addr
	for i := range 3 {
		h := fmt.Sprint(prefix, i+1)
		ip("ip addr add " + h + "/64 dev v0 nodad")
		hosts = append(hosts, h+zone)
		addrs = append(addrs, netip.MustParseAddr(h+zone))
	}
	c := Config{Interface: "v0"}
	some := []netip.Addr{addrs[0], addrs[2]}
	for _, m := range []Membership{
		{Group: netip.MustParseAddr("ff35::8000:77"), Include: some},
		{Group: netip.MustParseAddr("ff15::77:3"), Include: some},
		{Group: netip.MustParseAddr("ff15::77:4"), Exclude: addrs[1:2]},
	} {
		conn := listenAt(t, c, "[::]:0", m)
		for _, h := range []string{hosts[1], hosts[2], hosts[0]} {
			sendTo(t, listenAt(t, c, "["+h+"]:0"), at(m.Group.String(), port(conn)), h)
		}
		for _, want := range []string{hosts[2], hosts[0]} {
			if info := receive(t, conn, want); info.Source.Addr().String() != want {
				t.Errorf("%v: info %+v, want it from %s", m.Group, info, want)
			}
		}
	}
}

func TestInterfaceDown(t *testing.T) {
	inside(t)
	ip("ip link add x0 type veth peer name x1")
	defer ip("ip link del x0")
	conn := listenAt(t, Config{}, "0.0.0.0:0")
	err := conn.Join(Membership{Group: netip.MustParseAddr("239.255.77.1"), Interface: "x0"})
	if !errors.Is(err, ErrNoInterface) || !strings.Contains(err.Error(), "interface x0: it is down") {
		t.Errorf("an interface that is down: %v", err)
	}
}

// TestNoRoute: without a route to a group, it is joined and sent to through the only
// interface that can be used; where there are several, the error names them.
func TestNoRoute(t *testing.T) {
	inside(t)
	group := Membership{Group: netip.MustParseAddr("239.255.77.1")}
	heard := listenAt(t, Config{}, "239.255.77.1:0")
	if got := heard.members[0].Interface; got != "v0" {
		t.Errorf("joined on %s, want v0", got)
	}
	wire := newTap(t, "v1")
	sender := listenAt(t, Config{}, "0.0.0.0:0")
	sendTo(t, sender, at("239.255.77.1", port(heard)), "no route")
	receive(t, heard, "no route")
	sendTo(t, sender, at("239.255.77.1", port(heard)), "marker")
	if !wire.saw(t, "no route", "marker") {
		t.Error("it did not leave through v0")
	}

	ip("ip addr add 10.78.0.1/24 dev v1")
	defer ip("ip addr del 10.78.0.1/24 dev v1")
	conn := listenAt(t, Config{}, "0.0.0.0:0")
	if err := conn.Join(group); !errors.Is(err, ErrNoInterface) || !strings.Contains(err.Error(), "v0, v1") {
		t.Errorf("two interfaces: %v", err)
	}
	if _, err := conn.WriteTo([]byte("x"), at("239.255.77.1", 9)); !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("two interfaces: %v", err)
	}
	ip("ip route add 239.0.0.0/8 dev v1")
	defer ip("ip route del 239.0.0.0/8 dev v1")
	if err := conn.Join(group); err != nil || conn.members[0].Interface != "v1" {
		t.Errorf("with a route: %v, %v", conn.members, err)
	}
	if _, err := conn.WriteTo([]byte("x"), at("239.255.77.1", 9)); err != nil {
		t.Errorf("with a route: %v", err)
	}
}

// TestRouteInterface: a group is joined on the interface of the route, whatever source
// address the route has; IPv6 groups of link scope as well.
func TestRouteInterface(t *testing.T) {
	inside(t)
	ip("ip link add y0 type veth peer name y1")
	defer ip("ip link del y0")
	for _, command := range []string{"ip link set y0 up", "ip link set y1 up", "ip addr add 10.79.0.1/24 dev y0"} {
		ip(command)
	}
	ip("ip addr add 192.0.2.7/32 dev lo") // as routers have it
	defer ip("ip addr del 192.0.2.7/32 dev lo")
	for _, source := range []string{"192.0.2.7", "10.77.0.1", "10.79.0.1"} { // of lo, v0 and y0
		ip("ip route add 239.0.0.0/8 dev y0 src " + source)
		conn := listenAt(t, Config{}, "239.255.77.1:0")
		if got := conn.members[0].Interface; got != "y0" {
			t.Errorf("source %s: joined on %s, want y0", source, got)
		}
		conn.Close()
		ip("ip route del 239.0.0.0/8 dev y0 src " + source)
	}
	ip("ip -6 route add ff12::/16 dev y0 table local metric 1")
	defer ip("ip -6 route del ff12::/16 dev y0 table local metric 1")
	conn := listenAt(t, Config{}, "[ff12::1]:0")
	if got := conn.members[0].Interface; got != "y0" {
		t.Errorf("ff12::1: joined on %s, want y0", got)
	}
	sendTo(t, conn, at("ff12::1", port(conn)), "link scope")
	receive(t, conn, "link scope")
}

// TestChosenPort: the system chooses a port that is not in use, although ports are shared.
func TestChosenPort(t *testing.T) {
	inside(t)
	const ports = "/proc/sys/net/ipv4/ip_local_port_range"
	before, err := os.ReadFile(ports)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ports, []byte("45000 45007"), 0o644); err != nil {
		t.Skip(err)
	}
	defer os.WriteFile(ports, before, 0o644)
	chosen := make(map[uint16]bool)
	for range 8 {
		chosen[port(listenAt(t, Config{Interface: "v0"}, "0.0.0.0:0"))] = true
	}
	if len(chosen) != 8 {
		t.Errorf("of 8 ports the system chose %d", len(chosen))
	}
	if _, err := (&Config{Interface: "v0"}).Listen(netip.MustParseAddrPort("0.0.0.0:0")); err == nil {
		t.Error("there was a ninth")
	}
	listenAt(t, Config{Interface: "v0"}, "0.0.0.0:45000") // shared by wish
}
