package octoput

import (
	"bytes"
	"context"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

func listenLoopback(t testing.TB) net.PacketConn {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ample is more than any machine stands still.
const ample = 10 * time.Minute

// loopback sends src over two real sockets to h, and returns the sender's report.
func loopback(t testing.TB, from, at net.PacketConn, src ferry.Source, h ferry.Handler) Report {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	served := make(chan error)
	go func() {
		served <- (&Receiver{Transfers: 1, GiveUp: ample}).Serve(ctx, at, h)
	}()
	s := Sender{JoinTimeout: ample, GiveUp: ample}
	report, err := s.Send(ctx, from, addrOf(at), src)
	if err != nil {
		t.Error(err)
	}
	cancel() // it need not linger
	if err := <-served; err != nil {
		t.Error(err)
	}
	return report
}

func TestLoopback(t *testing.T) {
	data := noise(1, 256<<10)
	for name, wrap := range map[string]func(uint64, net.PacketConn) net.PacketConn{
		"plain": func(_ uint64, c net.PacketConn) net.PacketConn { return c },
		"lossy": func(seed uint64, c net.PacketConn) net.PacketConn {
			return lossy.Wrap(c, lossy.Seed(seed), lossy.Ingress(lossy.Loss(0.2)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			loopback(t, wrap(1, listenLoopback(t)), wrap(2, listenLoopback(t)), source(data), ferry.To(&got))
			if !bytes.Equal(got.Bytes(), data) {
				t.Errorf("%d bytes, not what was sent", got.Len())
			}
		})
	}
}

// TestAnswersFromAddressAsked: a receiver and a server on all addresses of their host answer
// from the one that they are asked at.
func TestAnswersFromAddressAsked(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells which address was asked")
	}
	root, dir := openRoot(t)
	data := noise(1, 30_000)
	if err := os.WriteFile(dir+"/f", data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, asked := range []string{"127.0.0.1", "127.0.0.2", "::1"} {
		for name, serve := range map[string]func(context.Context, net.PacketConn, ferry.Handler) error{
			"push": (&Receiver{}).Serve,
			"pull": func(ctx context.Context, conn net.PacketConn, _ ferry.Handler) error {
				return (&Sender{}).Serve(ctx, conn, ferry.FS(root.FS()))
			},
		} {
			at, err := net.ListenPacket("udp", ":0")
			if err != nil {
				t.Skip(err)
			}
			defer at.Close()
			conn, err := net.ListenPacket("udp", ":0")
			if err != nil {
				t.Skip(err)
			}
			defer conn.Close()
			var got bytes.Buffer
			ctx, cancel := context.WithCancel(t.Context())
			served := make(chan error)
			go func() { served <- serve(ctx, at, ferry.To(&got)) }()
			to := netip.AddrPortFrom(netip.MustParseAddr(asked), addrOf(at).Port())
			if name == "push" {
				s := Sender{JoinTimeout: 5 * time.Second}
				_, err = s.Send(ctx, conn, to, source(data))
			} else {
				r := Receiver{JoinTimeout: 5 * time.Second}
				_, err = r.Get(ctx, conn, to, "f", ferry.To(&got))
			}
			cancel()
			<-served
			if err != nil || !bytes.Equal(got.Bytes(), data) {
				t.Errorf("%s, asked at %s: %d bytes, %v", name, asked, got.Len(), err)
			}
		}
	}
}

// TestLoopbackGet asks a server on a real socket for files.
func TestLoopbackGet(t *testing.T) {
	root, dir := openRoot(t)
	data := noise(1, 100_003)
	if err := os.WriteFile(dir+"/f", data, 0o600); err != nil {
		t.Fatal(err)
	}
	at, conn := listenLoopback(t), listenLoopback(t)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- (&Sender{}).Serve(ctx, at, ferry.FS(root.FS())) }()
	var got bytes.Buffer
	if _, err := (&Receiver{Linger: -1}).Get(ctx, conn, addrOf(at), "f", ferry.To(&got)); err != nil || !bytes.Equal(got.Bytes(), data) {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
	cancel()
	<-served
}

// mapped is an address in its IPv6 form.
func mapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
}

// An IPv4 address in its IPv6 form is the same address, wherever it is given.
func TestLoopbackMappedAddresses(t *testing.T) {
	root, dir := openRoot(t)
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	from, at := listenLoopback(t), listenLoopback(t)
	received := make(chan error)
	go func() {
		_, err := (&Receiver{Linger: -1}).Receive(ctx, at, io.Discard)
		received <- err
	}()
	if _, err := (&Sender{}).Send(ctx, from, mapped(addrOf(at)), source([]byte("x"))); err != nil {
		t.Errorf("Send: %v", err)
		cancel()
	}
	if err := <-received; err != nil {
		t.Errorf("Receive: %v", err)
	}

	served := make(chan error)
	go func() { served <- (&Sender{}).Serve(ctx, at, ferry.FS(root.FS())) }()
	if _, err := (&Receiver{Linger: -1}).Get(ctx, from, mapped(addrOf(at)), "f", ferry.To(io.Discard)); err != nil {
		t.Errorf("Get: %v", err)
	}
	cancel()
	<-served
}

// TestNoAllocationPerLeg compares a transfer with one ten times as long. A wait that
// ends without a packet does allocate, its error, and on a busy machine there are more
// of those: the best of some attempts counts.
func TestNoAllocationPerLeg(t *testing.T) {
	if thorough > 1 {
		t.Skip("so slow under the race detector that waits outnumber packets")
	}
	const attempts = 5
	const blocks = 1000
	recvTransfer := func(blocks int) (mallocs, packets uint64) {
		data := make([]byte, BlockSize*blocks)
		from, at := listenLoopback(t), listenLoopback(t)
		var got counter
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		report := loopback(t, from, at, source(data), ferry.To(&got))
		runtime.ReadMemStats(&after)
		if int(got) != len(data) {
			t.Errorf("%d bytes, want %d", got, len(data))
		}
		return after.Mallocs - before.Mallocs, report.Sent
	}
	recvTransfer(blocks) // what is allocated once is allocated now
	best := math.Inf(1)
	for range attempts {
		short, few := recvTransfer(blocks / 10)
		long, many := recvTransfer(blocks)
		best = min(best, float64(int64(long)-int64(short))/float64(many-few))
		if best <= 0.05 {
			return
		}
	}
	t.Errorf("%.3f allocations per octoleg", best)
}

// A counter counts what is written to it.
type counter int

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// TestAbortedTransfersLeaveNothing: neither goroutines nor descriptors nor files.
func TestAbortedTransfersLeaveNothing(t *testing.T) {
	root, dir := openRoot(t)
	count := func() (goroutines, descriptors int) {
		fds, _ := os.ReadDir("/proc/self/fd") // none where there is no /proc
		return runtime.NumGoroutine(), len(fds)
	}
	goroutines, descriptors := count()
	for i := range 300 {
		ctx, cancel := context.WithCancel(context.Background())
		a, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		b, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			(&Receiver{}).Serve(ctx, b, &ferry.Dir{Root: root})
		}()
		s := Sender{Trace: &Trace{Received: func(e PacketEvent) {
			switch {
			case e.Block < 3:
			case i%2 == 0:
				cancel()
			default:
				a.Close()
			}
		}}}
		if _, err := s.Send(ctx, a, addrOf(b), source(make([]byte, 5*BlockSize))); err == nil {
			t.Fatal("the transfer was not aborted")
		}
		cancel()
		<-done
		a.Close()
		b.Close()
	}
	// A goroutine of the runtime's may come or go; a leak would leave hundreds.
	if g, d := count(); g > goroutines+5 || d > descriptors+5 {
		t.Errorf("%d goroutines and %d descriptors, before %d and %d", g, d, goroutines, descriptors)
	}
	if left := names(t, dir); len(left) != 0 {
		t.Errorf("files %q are left", left)
	}
}
