package lossy_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// open opens a conn at the next free address.
func open(t *testing.T, n *lossy.Network) *lossy.Conn {
	t.Helper()
	return openAt(t, n, netip.AddrPort{})
}

func openAt(t *testing.T, n *lossy.Network, a netip.AddrPort) *lossy.Conn {
	t.Helper()
	c, err := n.NewConn(a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func send(t *testing.T, c net.PacketConn, to *lossy.Conn, payload string) {
	t.Helper()
	if n, err := c.WriteTo([]byte(payload), to.LocalAddr()); n != len(payload) || err != nil {
		t.Fatalf("WriteTo = %d, %v", n, err)
	}
}

func receive(t *testing.T, c net.PacketConn) string {
	t.Helper()
	buf := make([]byte, 1<<16)
	n, _, err := c.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestNewConnAddresses(t *testing.T) {
	n := lossy.NewNetwork()
	for i, test := range []struct{ ask, want string }{
		{"0.0.0.0:0", "10.0.0.1:49152"},
		{"0.0.0.0:0", "10.0.0.2:49153"},
		{"10.0.0.3:7735", "10.0.0.3:7735"},
		{"0.0.0.0:7735", "10.0.0.4:7735"}, // 10.0.0.3 is in use
		{"10.0.0.3:0", "10.0.0.3:49154"},
		{"127.0.0.1:69", "127.0.0.1:69"},
		{"[::ffff:192.0.2.1]:69", "192.0.2.1:69"},
		{"[::]:0", "[fd00::1]:49155"},
		{"[::]:69", "[fd00::2]:69"},
		{"[fe80::1%eth0]:69", "[fe80::1%eth0]:69"},
		{"[fe80::1%eth1]:69", "[fe80::1%eth1]:69"},
	} {
		c := openAt(t, n, addr(test.ask))
		if got := c.AddrPort(); got != addr(test.want) {
			t.Errorf("conn %d, asked for at %s, is at %s, want %s", i, test.ask, got, test.want)
		}
		if got := c.LocalAddr().String(); got != test.want {
			t.Errorf("LocalAddr is %s, want %s", got, test.want)
		}
	}
	if got, want := open(t, n).AddrPort(), addr("10.0.0.5:49156"); got != want {
		t.Errorf("the zero address gives %s, want %s", got, want)
	}
}

func TestNewConnErrors(t *testing.T) {
	n := lossy.NewNetwork()
	openAt(t, n, addr("10.0.0.1:69"))
	for _, test := range []struct {
		addr string
		want error
	}{
		{"10.0.0.1:69", syscall.EADDRINUSE},
		{"[::ffff:10.0.0.1]:69", syscall.EADDRINUSE},
		{"239.1.2.3:69", syscall.EADDRNOTAVAIL},
		{"[ff02::1]:69", syscall.EADDRNOTAVAIL},
		{"255.255.255.255:69", syscall.EADDRNOTAVAIL},
	} {
		c, err := n.NewConn(addr(test.addr))
		var op *net.OpError
		if c != nil || !errors.Is(err, test.want) || !errors.As(err, &op) || op.Op != "listen" {
			t.Errorf("NewConn(%s) = %v, %v; want an OpError of listen for %v", test.addr, c, err, test.want)
		}
	}
}

// TestPortsRunOut opens a conn at every port that is given out.
func TestPortsRunOut(t *testing.T) {
	n := lossy.NewNetwork()
	const ports = 1<<16 - 49152
	var last *lossy.Conn
	for range ports {
		last = openAt(t, n, addr("10.0.0.1:0"))
	}
	if _, err := n.NewConn(addr("10.0.0.1:0")); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("after %d ports: %v, want EADDRINUSE", ports, err)
	}
	openAt(t, n, addr("10.0.0.2:0")) // another host has ports of its own
	at := last.AddrPort()
	last.Close()
	if got := openAt(t, n, addr("10.0.0.1:0")).AddrPort(); got != at {
		t.Errorf("the only free port gives %s, want %s", got, at)
	}
}

func TestWriteErrors(t *testing.T) {
	n := lossy.NewNetwork()
	v4, v6 := open(t, n), openAt(t, n, addr("[::]:0"))
	var addrError *net.AddrError
	if _, err := v4.WriteToUDPAddrPort(nil, v6.AddrPort()); !errors.As(err, &addrError) {
		t.Errorf("IPv4 to IPv6: %v, want an AddrError", err)
	}
	if _, err := v6.WriteToUDPAddrPort(nil, v4.AddrPort()); !errors.As(err, &addrError) {
		t.Errorf("IPv6 to IPv4: %v, want an AddrError", err)
	}
	if _, err := v4.WriteToUDPAddrPort(nil, addr("10.0.0.9:0")); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("to port 0: %v, want EINVAL", err)
	}
	// Over IPv6 the length does not count the IP header.
	big := make([]byte, 65528)
	if _, err := v6.WriteToUDPAddrPort(big[:65527], v6.AddrPort()); err != nil {
		t.Errorf("65527 bytes over IPv6: %v", err)
	}
	if _, err := v6.WriteToUDPAddrPort(big, v6.AddrPort()); !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("65528 bytes over IPv6: %v, want EMSGSIZE", err)
	}
	for _, set := range []func(int) error{v4.SetReadBuffer, v4.SetWriteBuffer} {
		if err := set(-1); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("a buffer of -1 bytes: %v, want EINVAL", err)
		}
		if err := set(1 << 20); err != nil {
			t.Error(err)
		}
	}
	v4.Close()
	for _, set := range []func(int) error{v4.SetReadBuffer, v4.SetWriteBuffer} {
		if err := set(1); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a buffer of a closed conn: %v", err)
		}
	}
}

// TestNoAddressIsThisHost checks that, as with a socket, a write to :69 goes
// to the same host.
func TestNoAddressIsThisHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		a := open(t, n)
		b := openAt(t, n, netip.AddrPortFrom(a.AddrPort().Addr(), 69))
		for _, to := range []*net.UDPAddr{{Port: 69}, {IP: net.IPv4zero, Port: 69}} {
			if _, err := a.WriteTo([]byte("neighbour"), to); err != nil {
				t.Fatal(err)
			}
			if got := receive(t, b); got != "neighbour" {
				t.Errorf("got %q", got)
			}
		}
	})
}

// TestTimes checks when packets arrive: a nanosecond after they were sent, or
// as much later as the models say.
func TestTimes(t *testing.T) {
	for _, test := range []struct{ delay, want time.Duration }{
		{0, 1}, {1, 1}, {2, 2}, {time.Hour, time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := lossy.NewNetwork(lossy.Delay(test.delay))
			a, b := open(t, n), open(t, n)
			start := time.Now()
			send(t, a, b, "x")
			receive(t, b)
			if got := time.Since(start); got != test.want {
				t.Errorf("with a delay of %v a packet takes %v, want %v", test.delay, got, test.want)
			}
		})
	}
}

// TestDeadlineAfterArrivals is rule 5: packets that arrive at the very instant of the
// deadline is read, and nothing after it.
func TestDeadlineAfterArrivals(t *testing.T) {
	for range 100 { // the runtime fires timers of one instant in random order
		synctest.Test(t, func(t *testing.T) {
			n := lossy.NewNetwork(lossy.Delay(50 * time.Millisecond))
			a, b := open(t, n), open(t, n)
			b.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			send(t, a, b, "on the dot")
			if got := receive(t, b); got != "on the dot" {
				t.Errorf("got %q", got)
			}
			if _, _, err := b.ReadFrom(nil); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("after the deadline: %v", err)
			}
		})
	}
}

// TestReadAtTheInstant checks that a reader whose own timer goes off at the
// instant of an arrival finds the packet, whichever timer is first.
func TestReadAtTheInstant(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			n := lossy.NewNetwork(lossy.Delay(50 * time.Millisecond))
			a, b := open(t, n), open(t, n)
			b.SetReadDeadline(time.Now().Add(50*time.Millisecond + 1))
			send(t, a, b, "x")
			time.Sleep(50 * time.Millisecond)
			if _, ingress := b.Stats(); ingress.Passed != 1 {
				t.Fatal("a packet that is due has not arrived")
			}
			receive(t, b)
		})
	}
}

// TestConstantDelayKeepsOrder writes from many goroutines.
func TestConstantDelayKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork(lossy.Delay(10 * time.Millisecond))
		b := open(t, n)
		b.SetReadBuffer(1 << 20)
		for range 10 {
			a := open(t, n)
			go func() {
				for i := range 100 {
					a.WriteTo(fmt.Append(nil, i), b.LocalAddr())
					if i%3 == 0 {
						time.Sleep(time.Microsecond)
					}
				}
			}()
		}
		next := make(map[string]int)
		buf := make([]byte, 100)
		for range 1000 {
			k, from, err := b.ReadFrom(buf)
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprint(next[from.String()]); string(buf[:k]) != want {
				t.Fatalf("from %v came %s, want %s", from, buf[:k], want)
			}
			next[from.String()]++
		}
	})
}

// TestConservation checks that every packet is accounted for.
func TestConservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork(
			lossy.Rate(1e6, 10), lossy.Loss(0.1), lossy.Duplicate(0.2), lossy.DropNth(3),
			lossy.Crowding(time.Second, 0, 0.001), lossy.Jitter(0, 50*time.Millisecond),
		)
		a, b := open(t, n), open(t, n)
		b.SetReadBuffer(5000)
		nobody := addr("10.9.9.9:9")
		for i := range 2000 {
			to := b.AddrPort()
			if i%10 == 0 {
				to = nobody
			}
			a.WriteToUDPAddrPort(make([]byte, i%1400), to)
			time.Sleep(time.Millisecond)
			if i%100 == 0 {
				b.SetReadDeadline(time.Now())
				b.SetReadDeadline(time.Now().Add(time.Millisecond))
				for {
					if _, _, err := b.ReadFromUDPAddrPort(nil); err != nil {
						break
					}
				}
			}
		}
		time.Sleep(time.Second)
		s := n.Stats()
		if s.Packets != 2000 || s.Packets+s.Copies != s.Passed+s.Dropped() {
			t.Errorf("%d packets and %d copies are not %d passed and %d dropped", s.Packets, s.Copies, s.Passed, s.Dropped())
		}
		for what, count := range map[string]int{
			"Copies": s.Copies, "Delayed": s.Delayed, "Passed": s.Passed, "Lost": s.Lost, "Crowded": s.Crowded,
			"QueueFull": s.QueueFull, "Scripted": s.Scripted, "Overflowed": s.Overflowed, "Unreachable": s.Unreachable,
		} {
			if count == 0 {
				t.Errorf("%s is 0: the test shows nothing of it", what)
			}
		}
		egress, _ := a.Stats()
		_, ingress := b.Stats()
		if egress != s {
			t.Errorf("the only sender counts %+v, the network %+v", egress, s)
		}
		if ingress.Passed != s.Passed || ingress.Overflowed != s.Overflowed || ingress.Packets != s.Passed+s.Overflowed {
			t.Errorf("the only receiver counts %+v, the network %+v", ingress, s)
		}
		a.Close()
		if got := n.Stats(); got != s {
			t.Errorf("after the sender was closed the network counts %+v, want %+v", got, s)
		}
	})
}

// TestStatsOfClosed checks that what becomes of a packet is counted when its
// sender is long gone.
func TestStatsOfClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork(lossy.Delay(time.Second), lossy.DropNth(2))
		b := open(t, n)
		for range 3 {
			a := open(t, n)
			for range 4 {
				send(t, a, b, "x")
			}
			a.Close()
		}
		check := func(want lossy.Stats) {
			t.Helper()
			if got := n.Stats(); got != want {
				t.Errorf("statistics are %+v, want %+v", got, want)
			}
		}
		check(lossy.Stats{})
		time.Sleep(time.Millisecond)
		check(lossy.Stats{Packets: 12, Bytes: 12, Delayed: 9, Scripted: 3})
		b.Close()
		openAt(t, n, b.AddrPort())
		time.Sleep(time.Second)
		check(lossy.Stats{Packets: 12, Bytes: 12, Delayed: 9, Scripted: 3, Passed: 9})
	})
}

// TestRestart closes a conn and opens another at its address: packets in
// flight to the first arrive at the second; packets that had arrived are lost.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork(lossy.Delay(time.Second))
		a, b := open(t, n), open(t, n)
		send(t, a, b, "old")
		time.Sleep(1500 * time.Millisecond)
		send(t, a, b, "late")
		b.Close()
		b = openAt(t, n, b.AddrPort())
		if got := receive(t, b); got != "late" {
			t.Errorf("the new conn reads %q, want %q", got, "late")
		}
		send(t, a, b, "nobody is there")
		b.Close()
		time.Sleep(2 * time.Second)
		if s := n.Stats(); s.Unreachable != 1 || s.Passed != 2 {
			t.Errorf("statistics are %+v, want one unreachable", s)
		}
	})
}

// TestTooManyInFlight checks that a writer that never stops fills no memory.
func TestTooManyInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dropped := 0
		n := lossy.NewNetwork(lossy.Delay(time.Second), lossy.WithTrace(&lossy.Trace{Judged: func(e lossy.Event) {
			if e.Cause == lossy.CauseLimit {
				dropped++
			}
		}}))
		a := open(t, n)
		big := make([]byte, 60000)
		const written, fit = 2000, 64 << 20 / (60000 + 256)
		for range written {
			if _, err := a.WriteToUDPAddrPort(big, addr("10.9.9.9:9")); err != nil {
				t.Fatal(err)
			}
		}
		s := n.Stats()
		if s.OverLimit != written-fit || dropped != s.OverLimit {
			t.Errorf("%d of %d were too many, %d traced; want %d", s.OverLimit, written, dropped, written-fit)
		}
		time.Sleep(2 * time.Second)
		if s := n.Stats(); s.Packets != written || s.Unreachable != fit {
			t.Errorf("statistics are %+v, want %d judged and %d unreachable", s, written, fit)
		}
		send(t, a, a, "there is room again")
		if got := receive(t, a); got != "there is room again" {
			t.Errorf("got %q", got)
		}
	})
}

// TestReadersInTurn checks that the reader that has waited longest is first.
func TestReadersInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		a, b := open(t, n), open(t, n)
		got := make(chan string, 3)
		for i := range 3 {
			go func() {
				buf := make([]byte, 10)
				k, _, _ := b.ReadFrom(buf)
				got <- fmt.Sprint(i, " read ", string(buf[:k]))
			}()
			synctest.Wait()
		}
		for i := range 3 {
			send(t, a, b, fmt.Sprint(i))
			if s, want := <-got, fmt.Sprint(i, " read ", i); s != want {
				t.Errorf("%s, want %s", s, want)
			}
		}
	})
}

// TestManyConns opens ten thousand conns at once, which all send to one.
func TestManyConns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork(lossy.Jitter(0, time.Second))
		sink := open(t, n)
		const conns = 10000
		for range conns {
			c := must(n.NewConn(netip.AddrPort{}))
			defer c.Close()
			c.WriteToUDPAddrPort([]byte("hello"), sink.AddrPort())
		}
		var from []netip.AddrPort
		for range conns {
			_, a, err := sink.ReadFromUDPAddrPort(nil)
			if err != nil {
				t.Fatal(err)
			}
			from = append(from, a)
		}
		slices.SortFunc(from, netip.AddrPort.Compare)
		if got := len(slices.Compact(from)); got != conns {
			t.Errorf("packets came from %d conns, want %d", got, conns)
		}
	})
}

// TestNoAllocations checks that a packet costs none once everything has been
// used before.
func TestNoAllocations(t *testing.T) {
	n := lossy.NewNetwork()
	a, b := open(t, n), open(t, n)
	payload, buf := make([]byte, 1000), make([]byte, 1000)
	single := func() {
		a.WriteToUDPAddrPort(payload, b.AddrPort())
		b.ReadFromUDPAddrPort(buf)
	}
	bufs := [][]byte{payload, payload, payload, payload}
	to := slices.Repeat([]netip.AddrPort{b.AddrPort()}, 4)
	in := [][]byte{make([]byte, 1000), make([]byte, 1000)}
	sizes, segments, from := make([]int, 2), make([]int, 2), make([]netip.AddrPort, 2)
	batch := func() {
		a.WriteBatch(bufs, to, nil)
		for got := 0; got < 4; {
			k, _ := b.ReadBatch(in, sizes, segments, from, nil)
			got += k
		}
	}
	for what, f := range map[string]func(){"a packet": single, "a batch of four": batch} {
		if got := testing.AllocsPerRun(1000, f); got >= 1 {
			t.Errorf("%s costs %v allocations", what, got)
		}
	}
}
