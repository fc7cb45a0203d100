package tftp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ferrygo/ferry"
)

// ample is a time that no test on real sockets takes, however busy the machine is.
const ample = 10 * time.Minute

func mustAddr(s string) netip.Addr { return netip.MustParseAddrPort(s).Addr() }

// TestLoopback: real sockets, both families, one port and many.
func TestLoopback(t *testing.T) {
	for _, wide := range []bool{false, true} {
		for _, single := range []bool{false, true} {
			m := newMemory()
			data := noise(1, 1_000_003)
			m.files["file"] = data
			addr := serveLoopback(t, &Server{Opener: m, Handler: m, Wide: wide, SinglePort: single, Linger: -1, GiveUp: ample})
			c := Client{Wide: wide, BlockSize: 1428, GiveUp: ample}
			got, r, err := loopbackGet(t, c, addr, "file")
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("wide %v, single port %v: %d bytes, %v, %+v", wide, single, len(got), err, r)
			}
			if _, err := loopbackPut(t, c, addr, "new", got); err != nil {
				t.Error(err)
			}
			if b, _ := m.get("new"); !bytes.Equal(b, got) {
				t.Errorf("wide %v, single port %v: put %d bytes", wide, single, len(b))
			}
		}
	}
}

// TestIPv6 on a server that listens to both families.
func TestIPv6(t *testing.T) {
	m := newMemory()
	m.files["file"] = noise(1, 100_000)
	conn, err := net.ListenPacket("udp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, stop := context.WithCancelCause(context.Background())
	s := Server{Opener: m, Handler: m, GiveUp: ample}
	done := make(chan error)
	go func() { done <- s.Serve(ctx, conn) }()
	port := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Logf("%s: %v", host, err)
			continue
		}
		var got bytes.Buffer
		client := Client{BlockSize: 9000, GiveUp: ample}
		r, err := client.Get(ctx, c, netip.AddrPortFrom(netip.MustParseAddr(host), port), "file", ferry.To(&got))
		want := map[string]int{"127.0.0.1": 1468, "::1": 1448}[host]
		if err != nil || got.Len() != 100_000 || r.BlockSize != want {
			t.Errorf("%s: %d bytes, blocks of %d, want %d, %v", host, got.Len(), r.BlockSize, want, err)
		}
		c.Close()
	}
	stop(errEnd)
	<-done
}

// TestManyClients at once.
func TestManyClients(t *testing.T) {
	m := newMemory()
	data := noise(1, 20_000)
	m.files["file"] = data
	addr := serveLoopback(t, &Server{Opener: m, Handler: m, GiveUp: ample})
	var wg sync.WaitGroup
	errs := make(chan error, 1000/thorough)
	for range cap(errs) {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer conn.Close()
			var got bytes.Buffer
			c := Client{GiveUp: ample, Linger: -1}
			_, err := c.Get(context.Background(), conn, addr, "file", ferry.To(&got))
			if err == nil && !bytes.Equal(got.Bytes(), data) {
				err = errBroken
			}
			errs <- err
		})
	}
	wg.Wait()
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

// TestAbortedTransfersLeaveNothing: neither goroutines nor descriptors, at either side.
func TestAbortedTransfersLeaveNothing(t *testing.T) {
	count := func() (goroutines, descriptors int) {
		fds, _ := os.ReadDir("/proc/self/fd") // none where there is no /proc
		return runtime.NumGoroutine(), len(fds)
	}
	goroutines, descriptors := count()
	t.Run("transfers", func(t *testing.T) {
		m := newMemory()
		m.files["file"] = noise(1, 20_000)
		addr := serveLoopback(t, &Server{Opener: m, Handler: m, GiveUp: 3 * time.Second, Linger: -1, MaxTransfers: 100_000, MaxPerAddress: 100_000})
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for i := range 2_500 / thorough {
			ctx, cancel := context.WithCancel(context.Background())
			c := Client{BlockSize: 512, GiveUp: ample, Trace: &Trace{
				Received:     func(PacketEvent) { cancel() },
				Acknowledged: func(PacketEvent) { cancel() },
				Sent:         func(PacketEvent) { cancel() },
			}}
			if i%2 == 0 {
				_, err = c.Get(ctx, conn, addr, "file", ferry.To(io.Discard))
			} else {
				_, err = c.Put(ctx, conn, addr, strconv.Itoa(i), ferry.Source{R: bytes.NewReader(make([]byte, 9000)), Size: 9000})
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("transfer %d was not aborted: %v", i, err)
			}
			cancel()
		}
		if names := m.names(); len(names) != 1 {
			t.Errorf("files appeared: %v", names)
		}
	})
	// A goroutine of the runtime's may come or go; a leak would leave thousands.
	if g, d := count(); g > goroutines+5 || d > descriptors+5 {
		t.Errorf("%d goroutines and %d descriptors, before %d and %d", g, d, goroutines, descriptors)
	}
}

// TestNoAllocationPerPacket compares a transfer with one twice as long, both longer
// than any window, whose buffers are made once. A wait that ends without a packet does
// allocate, its error, and on a busy machine there are more of those: the best of some
// attempts counts, of either.
func TestNoAllocationPerPacket(t *testing.T) {
	if thorough > 1 {
		t.Skip("so slow under the race detector that waits outnumber packets")
	}
	const attempts = 10
	const blocks = 4 * wideWindow
	for _, wide := range []bool{false, true} {
		m := newMemory()
		m.files["short"], m.files["long"] = make([]byte, blocks*512), make([]byte, 2*blocks*512)
		addr := serveLoopback(t, &Server{Opener: m, Handler: m, Wide: wide, GiveUp: ample})
		transfer := func(name string) int64 {
			conn := listenLoopback(t)
			c := Client{Wide: wide, WindowSize: 8, BlockSize: 512, GiveUp: ample, Linger: -1}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := c.Get(t.Context(), conn, addr, name, ferry.To(io.Discard)); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			return int64(after.Mallocs - before.Mallocs)
		}
		short, long, each := int64(math.MaxInt64), int64(math.MaxInt64), 1.0
		for range attempts {
			short, long = min(short, transfer("short")), min(long, transfer("long"))
			if each = float64(long-short) / blocks; each <= 0.05 {
				break
			}
		}
		t.Logf("wide %v: %.3f allocations for each block", wide, each)
		if each > 0.05 {
			t.Errorf("wide %v: %.2f allocations for each block", wide, each)
		}
	}
}

func listenLoopback(t testing.TB) net.PacketConn {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
