package datagram

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const peer = "10.0.0.2:2"

func TestReadFromAnyConn(t *testing.T) {
	pc := newFakeConn(
		from(peer, "one"),
		from(peer, ""), // an empty datagram is a datagram
		from("[::ffff:10.0.0.3]:3", "mapped"),
		from("[fe80::1%eth0]:4", "zone"),
		arrival{data: "no address"},
		arrival{data: "no IP address", from: &net.UnixAddr{Name: "socket", Net: "unixgram"}},
		arrival{data: "another type of address", from: textAddr("10.0.0.5:5")},
		arrival{data: "addrport", from: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 6), Port: 6}},
		// Windows says so where a datagram has been cut off.
		arrival{data: "cut off", from: udpAddr(peer), err: syscall.EMSGSIZE},
		arrival{data: "", from: udpAddr(peer), err: syscall.EMSGSIZE},
		arrival{data: "negative", from: udpAddr(peer), n: -1},
		arrival{data: "longer than the buffer", from: udpAddr(peer), n: 65537},
		arrival{data: "typed nil", from: (*net.UDPAddr)(nil)},
		from(peer, "last"),
	)
	c := Open(t.Context(), pc, Config{})
	defer c.Release()
	var got []string
	for len(pc.arrivals) > 0 {
		pkts, err := c.Read(time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pkts {
			got = append(got, fmt.Sprintf("%s %q", p.Addr, p.Data))
		}
	}
	want := []string{
		`10.0.0.2:2 "one"`,
		`10.0.0.2:2 ""`,
		`10.0.0.3:3 "mapped"`,
		`[fe80::1%eth0]:4 "zone"`,
		`10.0.0.5:5 "another type of address"`,
		`10.0.0.6:6 "addrport"`,
		`10.0.0.2:2 "cut off"`,
		`10.0.0.2:2 "last"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("packets (-want +got):\n%s", diff)
	}
}

type textAddr string

func (textAddr) Network() string  { return "udp" }
func (a textAddr) String() string { return string(a) }

func TestReadErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		err  error
		skip bool // Read goes on
	}{
		{syscall.ECONNREFUSED, true},
		{syscall.EHOSTUNREACH, true},
		{syscall.ENETUNREACH, true},
		{syscall.ECONNRESET, true},
		{syscall.ENOBUFS, true},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("recvfrom", syscall.ECONNREFUSED)}, true},
		{net.ErrClosed, false},
		{&net.OpError{Op: "read", Err: net.ErrClosed}, false},
		{io.EOF, false},
		{syscall.EBADF, false},
		{broken, false},
	} {
		pc := newFakeConn(arrival{err: test.err}, from(peer, "data"))
		c := Open(t.Context(), pc, Config{})
		pkts, err := c.Read(time.Time{})
		c.Release()
		if test.skip && (err != nil || len(pkts) != 1) {
			t.Errorf("%v: Read = %v, %v; want the packet after it", test.err, texts(pkts), err)
		}
		if !test.skip && (err != test.err || len(pkts) != 0) {
			t.Errorf("%v: Read = %v, %v; want the error", test.err, texts(pkts), err)
		}
	}
}

// A conn that fails for ever neither spins nor hangs.
func TestReadErrorForever(t *testing.T) {
	for _, test := range []struct {
		name     string
		deadline time.Duration // 0: none
		cancel   time.Duration // 0: never
		forever  error
		arrivals []arrival
		want     error
		within   time.Duration
		reads    int
	}{
		{
			name: "until the deadline", deadline: 20500 * time.Microsecond, forever: syscall.ECONNREFUSED,
			want: os.ErrDeadlineExceeded, within: 20500 * time.Microsecond, reads: eagerTries + 20,
		},
		{
			name: "for a while", forever: syscall.ECONNREFUSED,
			want: syscall.ECONNREFUSED, within: 2 * time.Second, reads: maxTries,
		},
		{
			name: "until the context ends", cancel: 20500 * time.Microsecond, forever: syscall.ECONNREFUSED,
			want: context.Canceled, within: 20500 * time.Microsecond, reads: eagerTries + 20,
		},
		{
			name: "nothing but rubbish", arrivals: make([]arrival, maxTries),
			want: io.ErrNoProgress, within: 2 * time.Second, reads: maxTries,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				pc := newFakeConn(test.arrivals...)
				pc.forever = test.forever
				c := Open(ctx, pc, Config{})
				defer c.Release()
				start := time.Now()
				var deadline time.Time
				if test.deadline > 0 {
					deadline = start.Add(test.deadline)
				}
				if test.cancel > 0 {
					time.AfterFunc(test.cancel, cancel)
				}
				if _, err := c.Read(deadline); !errors.Is(err, test.want) {
					t.Errorf("Read: %v, want %v", err, test.want)
				}
				if took := time.Since(start); took > test.within {
					t.Errorf("Read took %v, want at most %v", took, test.within)
				}
				if pc.reads != test.reads {
					t.Errorf("%d reads, want %d", pc.reads, test.reads)
				}
			})
		})
	}
}

// A few errors in a row cost no time.
func TestReadErrorsBrief(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pc := newFakeConn()
		for range eagerTries - 1 {
			pc.arrive(arrival{err: syscall.ECONNREFUSED})
		}
		pc.arrive(from(peer, "data"))
		c := Open(t.Context(), pc, Config{})
		defer c.Release()
		start := time.Now()
		if _, err := c.Read(time.Time{}); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("Read took %v", took)
		}
	})
}

// Deadlines that move, both ways, fire when they should.
func TestReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pc := newFakeConn()
		c := Open(t.Context(), pc, Config{})
		defer c.Release()
		for _, ms := range []int{10, 10, 5, 50, 1, 200, 200, 3} {
			d := time.Duration(ms) * time.Millisecond
			start := time.Now()
			if _, err := c.Read(start.Add(d)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("Read: %v", err)
			}
			if took := time.Since(start); took != d {
				t.Errorf("deadline in %v: Read took %v", d, took)
			}
		}
		// And none at all, after some.
		start := time.Now()
		time.AfterFunc(time.Hour, func() { pc.arrive(from(peer, "late")) })
		if _, err := c.Read(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != time.Hour {
			t.Errorf("no deadline: Read took %v", took)
		}
	})
}

// While packets come in, a deadline that moves away costs a call only when the one that
// is set fires.
func TestReadDeadlineSeldomSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pc := newFakeConn()
		c := Open(t.Context(), pc, Config{})
		defer c.Release()
		pc.deadlines = nil
		const packets, rto = 1000, 100 * time.Millisecond
		for i := range packets {
			time.AfterFunc(time.Duration(i+1)*time.Millisecond, func() { pc.arrive(from(peer, "x")) })
		}
		for range packets {
			if _, err := c.Read(time.Now().Add(rto)); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(pc.deadlines); n > packets/50 {
			t.Errorf("the deadline was set %d times for %d packets", n, packets)
		}
		if _, err := c.Read(time.Now().Add(rto)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v", err)
		}
	})
}

// A deadline that has passed does not hide what has arrived.
func TestReadDeadlinePassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pc := newFakeConn(from(peer, "one"), from(peer, "two"))
		c := Open(t.Context(), pc, Config{})
		defer c.Release()
		time.Sleep(time.Second)
		start := time.Now()
		for _, want := range []string{"one", "two"} {
			pkts, err := c.Read(start.Add(-time.Millisecond))
			if err != nil || string(pkts[0].Data) != want {
				t.Errorf("Read = %v, %v; want %s", texts(pkts), err, want)
			}
		}
		if _, err := c.Read(start); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v", err)
		}
		if took := time.Since(start); took > grace {
			t.Errorf("it took %v, want at most %v", took, grace)
		}
		// The next read is an ordinary one.
		time.AfterFunc(time.Second, func() { pc.arrive(from(peer, "three")) })
		if pkts, err := c.Read(start.Add(time.Minute)); err != nil {
			t.Errorf("Read = %v, %v", texts(pkts), err)
		}
	})
}

// A process that was held up between setting the deadline and reading tries again.
func TestReadDeadlinePassedHeldUp(t *testing.T) {
	for _, test := range []struct {
		slow int // reads that come too late
		want error
	}{{graceTries - 1, nil}, {graceTries, os.ErrDeadlineExceeded}} {
		synctest.Test(t, func(t *testing.T) {
			pc := newFakeConn(from(peer, "data"))
			c := open(t.Context(), pc, &slowReader{newPlainReader(pc), test.slow}, nil)
			defer c.Release()
			if _, err := c.Read(past); !errors.Is(err, test.want) {
				t.Errorf("%d slow reads: %v, want %v", test.slow, err, test.want)
			}
		})
	}
}

// A slowReader is held up before its first reads.
type slowReader struct {
	reader
	slow int
}

func (r *slowReader) read(pkts []Packet) ([]Packet, error) {
	if r.slow > 0 {
		r.slow--
		time.Sleep(heldUp)
	}
	return r.reader.read(pkts)
}

func newPlainReader(pc net.PacketConn) reader {
	in, _ := newPlain(pc, &Config{})
	return in
}

// The same with real sockets, one way and the other.
func TestReadDeadlinePassedSocket(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			in, out := loopback(t, "udp4", "127.0.0.1:0"), loopback(t, "udp4", "127.0.0.1:0")
			c := way(t.Context(), in, Config{})
			defer c.Release()
			if _, err := out.WriteTo([]byte("data"), in.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			pkts, err := c.Read(time.Now().Add(-time.Second))
			if _, sure := c.in.(poller); !sure {
				// The machine may be that busy, but not for ever.
				for tries := 0; tries < 1000 && errors.Is(err, os.ErrDeadlineExceeded); tries++ {
					pkts, err = c.Read(time.Now().Add(-time.Second))
				}
			}
			if err != nil || len(pkts) != 1 {
				t.Errorf("Read = %v, %v; want the packet", texts(pkts), err)
			}
			if _, err := c.Read(time.Now().Add(-time.Second)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read: %v", err)
			}
			if _, err := c.Read(time.Now()); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read: %v", err)
			}
		})
	}
}

// A conn that can be asked without waiting is, once, when a deadline has passed.
func TestReadLooks(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		pkts []Packet
		err  error
		want error
	}{
		{nil, nil, os.ErrDeadlineExceeded},
		{nil, broken, broken},
		{[]Packet{to(peer, "data")}, nil, nil},
	} {
		pc := newFakeConn()
		looker := &lookReader{pkts: test.pkts, err: test.err}
		c := open(t.Context(), pc, looker, nil)
		pkts, err := c.Read(past)
		c.Release()
		if !errors.Is(err, test.want) || len(pkts) != len(test.pkts) {
			t.Errorf("Read = %v, %v; want %v, %v", pkts, err, test.pkts, test.want)
		}
		if looker.reads != 1 || looker.looks != 1 {
			t.Errorf("%d reads and %d looks, want one of each", looker.reads, looker.looks)
		}
	}
}

// A lookReader's deadline always passes; the packets that arrive are scripted.
type lookReader struct {
	pkts         []Packet
	err          error
	reads, looks int
}

func (r *lookReader) read(pkts []Packet) ([]Packet, error) {
	r.reads++
	return pkts, os.ErrDeadlineExceeded
}

func (r *lookReader) poll(pkts []Packet) ([]Packet, error) {
	r.looks++
	return append(pkts, r.pkts...), r.err
}

// ways are the ways to read and write a UDP socket that there are here.
func ways() map[string]func(context.Context, *net.UDPConn, Config) *Conn {
	return map[string]func(context.Context, *net.UDPConn, Config) *Conn{
		"best": func(ctx context.Context, conn *net.UDPConn, cfg Config) *Conn {
			return Open(ctx, conn, cfg)
		},
		"joined": func(ctx context.Context, conn *net.UDPConn, cfg Config) *Conn {
			cfg.Join = true
			return Open(ctx, conn, cfg)
		},
		"no offload": func(ctx context.Context, conn *net.UDPConn, cfg Config) *Conn {
			cfg.Join, cfg.NoOffload = true, true
			return Open(ctx, conn, cfg)
		},
		"portable": func(ctx context.Context, conn *net.UDPConn, cfg Config) *Conn {
			udp := newUDPConn(conn, &cfg)
			return open(ctx, conn, udp, udp)
		},
		"any conn": func(ctx context.Context, conn *net.UDPConn, cfg Config) *Conn {
			return Open(ctx, struct{ net.PacketConn }{conn}, cfg)
		},
	}
}

func addrOf(pc net.PacketConn) netip.AddrPort { return addrPort(pc.LocalAddr()) }
