package tftp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
)

func mustAddr(s string) netip.Addr { return netip.MustParseAddrPort(s).Addr() }

// TestLoopback: real sockets, both families, one port and many.
func TestLoopback(t *testing.T) {
	for _, wide := range []bool{false, true} {
		for _, single := range []bool{false, true} {
			m := newMemory()
			data := noise(1, 1_000_003)
			m.files["file"] = data
			addr := serveLoopback(t, &Server{Handler: m, Wide: wide, SinglePort: single, Linger: time.Second / 5})
			c := Client{Wide: wide, BlockSize: 1428}
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
	s := Server{Handler: m}
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
		client := Client{BlockSize: 9000}
		r, err := client.Get(ctx, c, netip.AddrPortFrom(netip.MustParseAddr(host), port), "file", &got)
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
	addr := serveLoopback(t, &Server{Handler: m})
	var wg sync.WaitGroup
	errs := make(chan error, 1000)
	for range cap(errs) {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer conn.Close()
			var got bytes.Buffer
			c := Client{GiveUp: time.Minute, Linger: -1}
			_, err := c.Get(context.Background(), conn, addr, "file", &got)
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
		addr := serveLoopback(t, &Server{Handler: m, GiveUp: 3 * time.Second, Linger: -1, MaxTransfers: 100_000, MaxPerAddress: 100_000})
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for i := range 10_000 {
			ctx, cancel := context.WithCancel(context.Background())
			c := Client{BlockSize: 512, Trace: &Trace{
				Received:     func(_ netip.AddrPort, block int64, _ int, _ bool, _ int64) { cancel() },
				Acknowledged: func(netip.AddrPort, int64, bool) { cancel() },
				Sent:         func(netip.AddrPort, int64, int, bool) { cancel() },
			}}
			if i%2 == 0 {
				_, err = c.Get(ctx, conn, addr, "file", io.Discard)
			} else {
				_, err = c.Put(ctx, conn, addr, strconv.Itoa(i), Source{R: bytes.NewReader(make([]byte, 9000)), Size: 9000})
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

// TestNoAllocationPerPacket compares a transfer with one ten times as long.
func TestNoAllocationPerPacket(t *testing.T) {
	const blocks = 4000
	for _, wide := range []bool{false, true} {
		m := newMemory()
		addr := serveLoopback(t, &Server{Handler: m, Wide: wide})
		transfer := func(n int) uint64 {
			m.mu.Lock()
			m.files["file"] = make([]byte, n*512)
			m.mu.Unlock()
			conn := listenLoopback(t)
			c := Client{Wide: wide, WindowSize: 8, BlockSize: 512, Linger: -1}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := c.Get(context.Background(), conn, addr, "file", io.Discard); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			return after.Mallocs - before.Mallocs
		}
		transfer(blocks)
		short, long := transfer(blocks/10), transfer(blocks)
		// A Wide transfer's buffers grow up to its window.
		bound := 0.05
		if wide {
			bound = 0.6
		}
		if per := float64(int64(long)-int64(short)) / (blocks * 0.9); per > bound {
			t.Errorf("wide %v: %.2f allocations for each block (%d for %d, %d for %d)", wide, per, short, blocks/10, long, blocks)
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
