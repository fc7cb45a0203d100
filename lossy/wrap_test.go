package lossy_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// A fakeConn is a conn to be wrapped: it records what is written, and reads
// the datagrams in its inbox.
type fakeConn struct {
	local net.Addr
	inbox chan string
	from  net.Addr

	mu      sync.Mutex
	written []string
	times   []time.Time
	err     error // of writes that begin with a "!"
	closed  chan struct{}
	expired chan struct{}
}

func newFake() *fakeConn {
	return &fakeConn{
		local:   nullLocal,
		from:    nullRemote,
		inbox:   make(chan string, 100),
		closed:  make(chan struct{}),
		expired: make(chan struct{}),
	}
}

func (c *fakeConn) LocalAddr() net.Addr { return c.local }

func (c *fakeConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	if strings.HasPrefix(string(b), "!") {
		return 0, c.err
	}
	if len(b) > 10000 {
		return 0, io.ErrShortWrite
	}
	c.written = append(c.written, string(b))
	c.times = append(c.times, time.Now())
	return len(b), nil
}

func (c *fakeConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.mu.Lock()
	expired := c.expired
	c.mu.Unlock()
	select {
	case s := <-c.inbox:
		return copy(b, s), c.from, nil
	case <-c.closed:
		return 0, nil, net.ErrClosed
	case <-expired:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

func (c *fakeConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !t.IsZero() && !t.After(time.Now()) {
		close(c.expired)
	}
	return nil
}
func (c *fakeConn) SetWriteDeadline(time.Time) error { return nil }
func (c *fakeConn) SetDeadline(time.Time) error      { return nil }
func (c *fakeConn) Close() error                     { close(c.closed); return nil }

func (c *fakeConn) sent() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.written)
}

// TestWrapUndelayedAtOnce checks that a packet without delay is written before
// the caller's own call returns, and that a lost one is not.
func TestWrapUndelayedAtOnce(t *testing.T) {
	fake := newFake()
	w := lossy.Wrap(fake, lossy.DropNth(2), lossy.Duplicate(0))
	for i, want := range [][]string{{"0"}, {"0"}, {"0", "2"}} {
		if n, err := w.WriteTo(fmt.Append(nil, i), nullRemote); n != 1 || err != nil {
			t.Fatalf("WriteTo = %d, %v", n, err)
		}
		if got := fake.sent(); !slices.Equal(got, want) {
			t.Errorf("after packet %d, %q are written, want %q", i, got, want)
		}
	}
}

// TestWrapDelayed checks that delayed packets leave at their times and in the
// order of these, and that equal delays keep the order.
func TestWrapDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		due := make(map[string]time.Time)
		trace := &lossy.Trace{Judged: func(e lossy.Event) { due[string(e.Payload)] = e.Time.Add(e.Delay) }}
		w := lossy.Wrap(fake, lossy.Seed(1), lossy.Jitter(time.Millisecond, 100*time.Millisecond), lossy.WithTrace(trace))
		buf := make([]byte, 3)
		for i := range 200 {
			copy(buf, fmt.Sprintf("%03d", i))
			w.WriteTo(buf, nullRemote)
			clear(buf)
			time.Sleep(time.Duration(i%3) * time.Millisecond)
		}
		time.Sleep(time.Second)
		written := fake.sent()
		if len(written) != 200 || len(due) != 200 {
			t.Fatalf("%d of 200 packets were written, %d judged", len(written), len(due))
		}
		for i, s := range written {
			if !fake.times[i].Equal(due[s]) {
				t.Errorf("packet %s was written at %v, want %v", s, fake.times[i], due[s])
			}
		}
		if slices.IsSorted(written) {
			t.Error("jitter reordered nothing")
		}

		fake = newFake()
		w = lossy.Wrap(fake, lossy.Delay(10*time.Millisecond))
		for i := range 200 {
			w.WriteTo(fmt.Appendf(nil, "%03d", i), nullRemote)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(fake.written) != 200 || !slices.IsSorted(fake.written) {
			t.Errorf("a constant delay wrote %d, %q", len(fake.written), fake.written)
		}
	})
}

// TestWrapAddressNotKept changes an address while a packet for it is delayed,
// on a conn without batch methods.
func TestWrapAddressNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		a, b := open(t, n), open(t, n)
		w := lossy.Wrap(struct{ net.PacketConn }{a}, lossy.Delay(time.Second))
		addr := b.LocalAddr().(*net.UDPAddr)
		w.WriteTo([]byte("for b"), addr)
		clear(addr.IP)
		addr.Port = 1
		if got := receive(t, b); got != "for b" {
			t.Errorf("got %q", got)
		}
	})
}

// TestWrapIngressDuplicate checks that a copy that is not delayed waits for
// the next read.
func TestWrapIngressDuplicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		a, b := open(t, n), open(t, n)
		w := lossy.Wrap(b, lossy.Ingress(lossy.Duplicate(1), lossy.Duplicate(1)))
		send(t, a, b, "one")
		send(t, a, b, "two")
		for _, want := range []string{"one", "one", "one", "one", "two", "two", "two", "two"} {
			if got := receive(t, w); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}

// TestWrapCloseWhileWriting closes a conn whose last packet is being written:
// the wrapped conn stays open for it.
func TestWrapCloseWhileWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &slowFake{newFake(), make(chan bool)}
		w := lossy.Wrap(fake, lossy.Delay(time.Second))
		w.WriteTo([]byte("last"), nullRemote)
		time.Sleep(2 * time.Second) // it is being written
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		select {
		case <-fake.closed:
			t.Error("the wrapped conn was closed while it was written to")
		default:
		}
		close(fake.proceed)
		<-fake.closed
		if got := fake.sent(); !slices.Equal(got, []string{"last"}) {
			t.Errorf("%q was written", got)
		}
	})
}

// A slowFake writes when it is told to.
type slowFake struct {
	*fakeConn
	proceed chan bool
}

func (c *slowFake) WriteTo(b []byte, addr net.Addr) (int, error) {
	<-c.proceed
	return c.fakeConn.WriteTo(b, addr)
}

// TestWrapScheduleWhileWriting delays packets while another is being written.
func TestWrapScheduleWhileWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &slowFake{newFake(), make(chan bool)}
		w := lossy.Wrap(fake, lossy.Delay(time.Second))
		start := time.Now()
		w.WriteTo([]byte("0s"), nullRemote)
		time.Sleep(1500 * time.Millisecond)
		w.WriteTo([]byte("1.5s"), nullRemote)
		time.Sleep(500 * time.Millisecond)
		close(fake.proceed)
		time.Sleep(time.Second)
		if got := fake.sent(); !slices.Equal(got, []string{"0s", "1.5s"}) {
			t.Fatalf("%q were written", got)
		}
		for i, want := range []time.Duration{2 * time.Second, 2500 * time.Millisecond} {
			if got := fake.times[i].Sub(start); got != want {
				t.Errorf("packet %d was written after %v, want %v", i, got, want)
			}
		}
	})
}

// TestWrapClose closes a conn on which packets are scheduled: callers fail at
// once, the packets leave at their times, then the wrapped conn is closed.
func TestWrapClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		a, b := open(t, n), open(t, n)
		w := lossy.Wrap(a, lossy.Delay(time.Second), lossy.Ingress(lossy.Delay(time.Second)))
		errs := make(chan error, 2)
		for range 2 {
			go func() {
				_, _, err := w.ReadFrom(make([]byte, 100))
				errs <- err
			}()
		}
		send(t, w, b, "first")
		send(t, b, a, "held, and never read")
		time.Sleep(time.Millisecond)
		send(t, w, b, "last")
		synctest.Wait()
		w.SetWriteDeadline(time.Now()) // which is the callers', not the packets'
		start := time.Now()
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := <-errs; !errors.Is(err, net.ErrClosed) {
				t.Errorf("a reader got %v, want net.ErrClosed", err)
			}
		}
		if err := w.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close again: %v", err)
		}
		if _, err := w.WriteTo([]byte("late"), b.LocalAddr()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("WriteTo: %v, want net.ErrClosed", err)
		}
		if err := w.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SetDeadline: %v, want net.ErrClosed", err)
		}
		if _, ingress := lossy.StatsOf(w); ingress.Delayed != 1 || ingress.Passed != 0 {
			t.Errorf("statistics of ingress are %+v, want one delayed", ingress)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("closing took %v", got)
		}
		if _, err := n.NewConn(a.AddrPort()); err == nil {
			t.Error("the address is free although packets are to leave from it")
		}
		for _, want := range []string{"first", "last"} {
			if got := receive(t, b); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		synctest.Wait()
		if err := a.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the wrapped conn was not closed: Close = %v", err)
		}
		if got, want := time.Since(start), time.Second+1; got != want {
			t.Errorf("the last packet arrived after %v, want %v", got, want)
		}
		openAt(t, n, a.AddrPort())
	})
}

// TestWrapCloseEgressOnly is the same for a conn whose reads are not judged.
func TestWrapCloseEgressOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		a, b := open(t, n), open(t, n)
		w := lossy.Wrap(a, lossy.Delay(time.Second))
		send(t, w, b, "last")
		errs := make(chan error)
		go func() {
			_, _, err := w.ReadFrom(make([]byte, 100))
			errs <- err
		}()
		synctest.Wait()
		w.Close()
		if err := <-errs; !errors.Is(err, net.ErrClosed) {
			t.Errorf("a reader got %v, want net.ErrClosed", err)
		}
		if _, _, err := w.ReadFrom(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ReadFrom: %v, want net.ErrClosed", err)
		}
		if got := receive(t, b); got != "last" {
			t.Errorf("got %q", got)
		}
	})
}

// TestWrapLeavesNothing checks, on real sockets, that no goroutine and no
// descriptor stays behind, and that scheduled packets do leave.
func TestWrapLeavesNothing(t *testing.T) {
	waitForGoroutines(t) // of other tests
	sink := listenUDP(t, "127.0.0.1:0")
	defer sink.Close()
	sink.SetReadDeadline(time.Now().Add(10 * time.Second))
	for i := range 50 {
		inner, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		w := lossy.Wrap(inner, lossy.Both(lossy.Delay(time.Millisecond)))
		done := make(chan bool)
		go func() { defer close(done); w.ReadFrom(make([]byte, 100)) }()
		w.WriteTo(fmt.Append(nil, i), sink.LocalAddr())
		w.Close()
		<-done
		buf := make([]byte, 10)
		if n, _, err := sink.ReadFrom(buf); err != nil || string(buf[:n]) != fmt.Sprint(i) {
			t.Fatalf("packet %d: %q, %v", i, buf[:n], err)
		}
		for { // the timer's goroutine is about to close it
			if err := inner.SetDeadline(time.Time{}); errors.Is(err, net.ErrClosed) {
				break
			}
			runtime.Gosched()
		}
	}
	waitForGoroutines(t)
}

// waitForGoroutines waits until the package runs none.
func waitForGoroutines(t *testing.T) {
	t.Helper()
	var left []string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
		if left = ownGoroutines(); len(left) == 0 {
			return
		}
	}
	t.Fatalf("goroutines are left:\n%s", strings.Join(left, "\n\n"))
}

// ownGoroutines returns the stacks of the goroutines that run or wait in this
// package, tests excepted.
func ownGoroutines() (stacks []string) {
	buf := make([]byte, 1<<20)
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "ferry/lossy.") && !strings.Contains(g, "testing.(*T).Parallel") {
			stacks = append(stacks, g)
		}
	}
	return stacks
}

// TestWrapIngressDelay checks delays on receipt: the packets come at their
// times, to readers that wait and to readers that come later.
func TestWrapIngressDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		a, b := open(t, n), open(t, n)
		w := lossy.Wrap(b, lossy.Ingress(lossy.Delay(100*time.Millisecond)))
		start := time.Now()
		go func() {
			for i := range 10 {
				a.WriteTo(fmt.Append(nil, i), b.LocalAddr())
				time.Sleep(10 * time.Millisecond)
			}
		}()
		for i := range 10 {
			if got := receive(t, w); got != fmt.Sprint(i) {
				t.Errorf("got %s, want %d", got, i)
			}
			want := 100*time.Millisecond + time.Duration(i)*10*time.Millisecond + 1
			if got := time.Since(start); got != want {
				t.Errorf("packet %d took %v, want %v", i, got, want)
			}
		}
		// A deadline before the packet is due comes first, and costs nothing.
		send(t, a, b, "later")
		w.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, _, err := w.ReadFrom(nil); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("before the packet is due: %v", err)
		}
		w.SetReadDeadline(time.Time{})
		if got := receive(t, w); got != "later" {
			t.Errorf("got %q", got)
		}
		// A packet that is due exactly at the deadline is in time.
		send(t, a, b, "on the dot")
		w.SetReadDeadline(time.Now().Add(100*time.Millisecond + 1))
		if got := receive(t, w); got != "on the dot" {
			t.Errorf("got %q", got)
		}
	})
}

// TestWrapManyReaders has several readers of a conn with delays on receipt.
func TestWrapManyReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		a, b := open(t, n), open(t, n)
		w := lossy.Wrap(b, lossy.Ingress(lossy.Jitter(0, 10*time.Millisecond), lossy.Duplicate(0.5)), lossy.Seed(1))
		const packets = 400
		var wg sync.WaitGroup
		var mu sync.Mutex
		got := make(map[string]int)
		for range 5 {
			wg.Go(func() {
				buf := make([]byte, 10)
				for {
					n, _, err := w.ReadFrom(buf)
					if err != nil {
						return
					}
					mu.Lock()
					got[string(buf[:n])]++
					mu.Unlock()
				}
			})
		}
		for i := range packets {
			a.WriteTo(fmt.Append(nil, i), b.LocalAddr())
			time.Sleep(100 * time.Microsecond)
		}
		time.Sleep(time.Second)
		_, ingress := lossy.StatsOf(w)
		if ingress.Packets != packets || ingress.Passed != packets+ingress.Copies || ingress.Copies < packets/3 {
			t.Errorf("statistics are %+v", ingress)
		}
		w.SetReadDeadline(time.Now())
		wg.Wait()
		total := 0
		for i := range packets {
			if got[fmt.Sprint(i)] == 0 {
				t.Errorf("packet %d did not arrive", i)
			}
			total += got[fmt.Sprint(i)]
		}
		if total != ingress.Passed {
			t.Errorf("%d were read, %d counted", total, ingress.Passed)
		}
	})
}

// TestWrapErrors checks what happens to errors of the wrapped conn: those of
// the caller's own write are returned, those of a later one are counted.
func TestWrapErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.err = io.ErrUnexpectedEOF
		w := lossy.Wrap(fake, lossy.Loss(0), lossy.Duplicate(1))
		if n, err := w.WriteTo([]byte("!"), nullRemote); n != 0 || err != fake.err {
			t.Errorf("WriteTo = %d, %v; want 0, %v", n, err, fake.err)
		}
		if egress, _ := lossy.StatsOf(w); egress.Refused != 2 || egress.Passed != 0 {
			t.Errorf("statistics are %+v, want two refused", egress)
		}
		var causes []lossy.Cause
		trace := &lossy.Trace{Judged: func(e lossy.Event) { causes = append(causes, e.Cause) }}
		w = lossy.Wrap(fake, lossy.Delay(time.Second), lossy.WithTrace(trace))
		if n, err := w.WriteTo([]byte("!"), nullRemote); n != 1 || err != nil {
			t.Errorf("WriteTo = %d, %v; want 1, no error", n, err)
		}
		time.Sleep(2 * time.Second)
		if egress, _ := lossy.StatsOf(w); egress.Refused != 1 || egress.Passed != 0 || egress.Dropped() != 1 {
			t.Errorf("statistics are %+v, want one refused", egress)
		}
		if want := []lossy.Cause{"", lossy.CauseRefused}; !slices.Equal(causes, want) {
			t.Errorf("causes are %q, want %q", causes, want)
		}
		// An error of the wrapped conn's reads is the caller's.
		w = lossy.Wrap(fake, lossy.Ingress(lossy.Loss(0)))
		close(fake.closed)
		if _, _, err := w.ReadFrom(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ReadFrom: %v, want net.ErrClosed", err)
		}
		for _, set := range []func(int) error{
			w.(interface{ SetReadBuffer(int) error }).SetReadBuffer,
			w.(interface{ SetWriteBuffer(int) error }).SetWriteBuffer,
		} {
			if err := set(1); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("setting a buffer that the conn has not: %v", err)
			}
		}
	})
}

// A renamed conn has addresses that are not of UDP.
type renamed struct{ *lossy.Conn }

func rename(a net.Addr) net.Addr { return &net.UnixAddr{Name: a.String()} }

func (c renamed) LocalAddr() net.Addr { return rename(c.Conn.LocalAddr()) }

func (c renamed) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.Conn.ReadFrom(b)
	if err != nil {
		return n, nil, err
	}
	return n, rename(from), nil
}

func (c renamed) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, err := net.ResolveUDPAddr("udp", addr.String())
	if err != nil {
		return 0, err
	}
	return c.Conn.WriteTo(b, to)
}

// TestWrapNotUDP wraps conns whose addresses are of another kind: those are
// handed on as they are, and make one flow.
func TestWrapNotUDP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		models := lossy.Both(lossy.DropNth(3), lossy.Delay(time.Second))
		a, b := lossy.Wrap(renamed{open(t, n)}, models), lossy.Wrap(renamed{open(t, n)}, models)
		for i := 1; i <= 6; i++ {
			a.WriteTo(fmt.Append(nil, i), b.LocalAddr())
		}
		buf := make([]byte, 10)
		for _, want := range []string{"1", "2", "5", "6"} { // 4 is the third that arrives
			n, from, err := b.ReadFrom(buf)
			if err != nil || string(buf[:n]) != want || from.String() != a.LocalAddr().String() {
				t.Fatalf("ReadFrom = %q, %v, %v; want %s from %v", buf[:n], from, err, want, a.LocalAddr())
			}
		}
		if _, ok := b.LocalAddr().(*net.UnixAddr); !ok {
			t.Errorf("LocalAddr is a %T", b.LocalAddr())
		}
		// Batches speak of UDP addresses; they go to the conn one by one.
		to := a.LocalAddr().String()
		sent, err := b.(batchConn).WriteBatch([][]byte{{'x'}, {'y'}}, []netip.AddrPort{addr(to), addr(to)}, nil)
		if sent != 2 || err != nil {
			t.Errorf("WriteBatch = %d, %v", sent, err)
		}
		for _, want := range []string{"x", "y"} {
			x := newInbox(1, 10)
			if n, err := a.(batchConn).ReadBatch(x.bufs, x.sizes, x.segments, x.from, nil); n != 1 || err != nil || x.get(0) != want {
				t.Errorf("ReadBatch = %d, %v, %q; want %q", n, err, x.get(0), want)
			}
		}
	})
}

// TestWrapNoAddress delays a packet to an address without an IP, which the
// wrapped conn takes for this host.
func TestWrapNoAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork()
		a := open(t, n)
		w := lossy.Wrap(a, lossy.Delay(time.Second))
		if _, err := w.WriteTo([]byte("to myself"), &net.UDPAddr{Port: int(a.AddrPort().Port())}); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, w); got != "to myself" {
			t.Errorf("got %q", got)
		}
	})
}

// TestWrapHides checks that a wrapped socket shows no way around the models.
func TestWrapHides(t *testing.T) {
	w := listenUDP(t, "127.0.0.1:0", lossy.Loss(0))
	defer w.Close()
	if _, ok := w.(syscall.Conn); ok {
		t.Error("a wrapped conn has a SyscallConn")
	}
	if _, ok := w.(*net.UDPConn); ok {
		t.Error("a wrapped conn is a *net.UDPConn")
	}
	for _, option := range []func(int) error{
		w.(interface{ SetReadBuffer(int) error }).SetReadBuffer,
		w.(interface{ SetWriteBuffer(int) error }).SetWriteBuffer,
	} {
		if err := option(1 << 16); err != nil {
			t.Error(err)
		}
	}
}
