package datagram

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// to is a packet for a host.
func to(host, data string) Packet {
	return Packet{Data: []byte(data), Addr: netip.MustParseAddrPort(host)}
}

func TestWriteToAnyConn(t *testing.T) {
	pc := newFakeConn()
	c := Open(t.Context(), pc, Config{})
	defer c.Release()
	pkts := []Packet{to(peer, "one"), to("[2001:db8::1]:3", ""), to(peer, "three")}
	if n, err := c.Write(pkts); n != 3 || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if n, err := c.Write(nil); n != 0 || err != nil {
		t.Errorf("Write of nothing = %d, %v", n, err)
	}
	var got []string
	for _, p := range pc.sent {
		got = append(got, fmt.Sprintf("%s %q", p.Addr, p.Data))
	}
	want := []string{`10.0.0.2:2 "one"`, `[2001:db8::1]:3 ""`, `10.0.0.2:2 "three"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// The error is about pkts[n], and the rest can still go.
func TestWriteErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name string
		errs []error // of the first writes
		n    int
		err  error
		sent []string
	}{
		{"none", nil, 3, nil, []string{"a", "b", "c"}},
		{"of the second", []error{nil, broken}, 1, broken, []string{"a"}},
		{"too long", []error{syscall.EMSGSIZE}, 0, syscall.EMSGSIZE, nil},
		{"closed", []error{nil, nil, net.ErrClosed}, 2, net.ErrClosed, []string{"a", "b"}},
		// The ICMP message was about something sent before.
		{"of another packet", []error{nil, syscall.ECONNREFUSED}, 3, nil, []string{"a", "b", "c"}},
		{"of other packets", []error{syscall.ECONNREFUSED, nil, syscall.ECONNREFUSED}, 3, nil, []string{"a", "b", "c"}},
		{
			"unreachable",
			[]error{nil, syscall.EHOSTUNREACH, syscall.EHOSTUNREACH},
			1, syscall.EHOSTUNREACH,
			[]string{"a"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			pc := newFakeConn()
			pc.writeErrs = test.errs
			c := Open(t.Context(), pc, Config{})
			defer c.Release()
			n, err := c.Write([]Packet{to(peer, "a"), to(peer, "b"), to(peer, "c")})
			if n != test.n || !errors.Is(err, test.err) {
				t.Errorf("Write = %d, %v; want %d, %v", n, err, test.n, test.err)
			}
			if diff := cmp.Diff(test.sent, texts(pc.sent)); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

// A packet that cannot go does not keep the others from going, on any path.
func TestWriteSkips(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			in, out := loopback(t, "udp4", "127.0.0.1:0"), loopback(t, "udp4", "127.0.0.1:0")
			c := way(t.Context(), out, Config{})
			defer c.Release()
			r := way(t.Context(), in, Config{})
			defer r.Release()
			good := addrOf(in)
			pkts := []Packet{
				{Data: []byte("one"), Addr: good},
				{Data: []byte("to nowhere")},
				{Data: []byte("two"), Addr: good},
				{Data: make([]byte, 65508), Addr: good},
				{Data: []byte("three"), Addr: good},
				{Data: []byte("IPv6"), Addr: netip.MustParseAddrPort("[::1]:9")},
				{Data: []byte("four"), Addr: good},
			}
			var failed []int
			for i := 0; i < len(pkts); {
				n, err := c.Write(pkts[i:])
				i += n
				if err == nil {
					continue
				}
				if Fatal(err) || TooLong(err) != (i == 3) {
					t.Errorf("packet %d: %v: Fatal %v, TooLong %v", i, err, Fatal(err), TooLong(err))
				}
				failed = append(failed, i)
				i++
			}
			if diff := cmp.Diff([]int{1, 3, 5}, failed); diff != "" {
				t.Errorf("failed (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"one", "two", "three", "four"}, texts(readAll(t, r, 4))); diff != "" {
				t.Errorf("arrived (-want +got):\n%s", diff)
			}
		})
	}
}

// readAll reads n packets, and copies them.
func readAll(t testing.TB, c *Conn, n int) []Packet {
	t.Helper()
	var all []Packet
	for len(all) < n {
		pkts, err := c.Read(time.Time{})
		if err != nil {
			t.Fatalf("Read, after %d packets: %v", len(all), err)
		}
		for _, p := range pkts {
			all = append(all, Packet{Data: append([]byte{}, p.Data...), Addr: p.Addr})
		}
	}
	return all
}

// A conn that claims to have sent nothing, and no error, ends a Write.
func TestWriteNothing(t *testing.T) {
	pc := newFakeConn()
	c := open(t.Context(), pc, nil, lazyWriter{})
	defer c.Release()
	if n, err := c.Write([]Packet{to(peer, "a")}); n != 0 || err != io.ErrShortWrite {
		t.Errorf("Write = %d, %v", n, err)
	}
}

type lazyWriter struct{}

func (lazyWriter) write([]Packet) (int, error) { return 0, nil }

// What a conn remembers of its destinations is bounded.
func TestWriteManyDestinations(t *testing.T) {
	pc := newFakeConn()
	c := Open(t.Context(), pc, Config{})
	defer c.Release()
	addr := netip.MustParseAddr("10.1.0.0")
	for range 3 * maxAddrs {
		addr = addr.Next()
		p := Packet{Addr: netip.AddrPortFrom(addr, 7)}
		if n, err := c.Write([]Packet{p}); n != 1 || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
		if got := pc.sent[len(pc.sent)-1].Addr; got != p.Addr {
			t.Fatalf("sent to %v, want %v", got, p.Addr)
		}
	}
	w := c.out.(*plainWriter)
	if n := len(w.addrs); n > maxAddrs {
		t.Errorf("%d addresses remembered", n)
	}
	// Addresses in use are remembered.
	again := netip.AddrPortFrom(addr, 7)
	one, _ := w.addr(again)
	if two, _ := w.addr(again); one != two {
		t.Errorf("%v is made anew each time", again)
	}
}

// Send leaves out what cannot leave, says so, and stops only at a conn of no use.
func TestSend(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name   string
		errs   []error
		failed []int
		err    error
		sent   []string
	}{
		{"all", nil, nil, nil, []string{"a", "b", "c"}},
		{"the first fails", []error{broken}, []int{0}, nil, []string{"b", "c"}},
		{"the second fails", []error{nil, broken}, []int{1}, nil, []string{"a", "c"}},
		{"all fail", []error{broken, broken, broken}, []int{0, 1, 2}, nil, nil},
		{"closed", []error{nil, net.ErrClosed}, nil, net.ErrClosed, []string{"a"}},
	} {
		pc := newFakeConn()
		pc.writeErrs = test.errs
		c := Open(t.Context(), pc, Config{})
		var failed []int
		err := Send(c, []Packet{to(peer, "a"), to(peer, "b"), to(peer, "c")}, func(i int, err error) {
			failed = append(failed, i)
			if err != broken {
				t.Errorf("%s: %v", test.name, err)
			}
		})
		c.Release()
		if err != test.err {
			t.Errorf("%s: %v, want %v", test.name, err, test.err)
		}
		if diff := cmp.Diff(test.failed, failed); diff != "" {
			t.Errorf("%s: failed (-want +got):\n%s", test.name, diff)
		}
		if diff := cmp.Diff(test.sent, texts(pc.sent)); diff != "" {
			t.Errorf("%s: sent (-want +got):\n%s", test.name, diff)
		}
	}
	pc := newFakeConn()
	pc.writeErrs = []error{broken}
	c := Open(t.Context(), pc, Config{})
	defer c.Release()
	if err := Send(c, []Packet{to(peer, "a"), to(peer, "b")}, nil); err != nil || len(pc.sent) != 1 {
		t.Errorf("Send = %v, %d sent", err, len(pc.sent))
	}
}
