package p2mp

import (
	"bytes"
	"context"
	"math"
	"net"
	"net/netip"
	"os"
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

// loopback sends data to receivers over real sockets, each wrapped, and returns what
// they got and the sender's report.
func loopback(t testing.TB, s Sender, receivers int, data []byte, wrap func(int, net.PacketConn) net.PacketConn) ([]bytes.Buffer, Report) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var to []netip.AddrPort
	got := make([]bytes.Buffer, receivers)
	errs := make(chan error, receivers)
	for i := range receivers {
		got[i].Grow(len(data))
		conn := wrap(i, listenLoopback(t))
		to = append(to, addrOf(conn))
		go func() {
			_, err := (&Receiver{GiveUp: ample}).Receive(ctx, conn, &got[i])
			errs <- err
		}()
	}
	s.JoinTimeout, s.GiveUp = ample, ample
	report, err := s.Send(ctx, wrap(receivers, listenLoopback(t)), to, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
	if err != nil {
		t.Error(err)
	}
	cancel()
	for range receivers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	return got, report
}

func asItIs(_ int, c net.PacketConn) net.PacketConn { return c }

func TestLoopback(t *testing.T) {
	for name, wrap := range map[string]func(int, net.PacketConn) net.PacketConn{
		"plain": asItIs,
		"lossy": func(i int, c net.PacketConn) net.PacketConn {
			return lossy.Wrap(c, lossy.Seed(uint64(i)), lossy.Loss(0.1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			data := noise(1, 100_000)
			got, _ := loopback(t, Sender{Classic: true}, 3, data, wrap)
			for i := range got {
				if !bytes.Equal(got[i].Bytes(), data) {
					t.Errorf("receiver %d has %d bytes, not what was sent", i, got[i].Len())
				}
			}
		})
	}
}

// TestNoAllocationPerPacket compares a transfer with one ten times as long. A wait that
// ends without a packet does allocate, its error, and on a busy machine there are more
// of those: the best of some attempts counts.
func TestNoAllocationPerPacket(t *testing.T) {
	if underRace {
		t.Skip("so slow under the race detector that waits outnumber packets")
	}
	const attempts = 5
	const chunks = 5000
	for name, s := range map[string]Sender{
		"classic":  {MSS: 100, Classic: true},
		"extended": {MSS: 100, Window: 1000},
	} {
		t.Run(name, func(t *testing.T) {
			transfer := func(chunks int) (mallocs, packets uint64) {
				data := make([]byte, 100*chunks)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, report := loopback(t, s, 2, data, asItIs)
				runtime.ReadMemStats(&after)
				return after.Mallocs - before.Mallocs, report.Peers[0].Sent + report.Peers[1].Sent
			}
			transfer(chunks) // what is allocated once is allocated now
			best := math.Inf(1)
			for range attempts {
				short, few := transfer(chunks / 10)
				long, many := transfer(chunks)
				best = min(best, float64(int64(long)-int64(short))/float64(many-few))
				if best <= 0.1 {
					return
				}
			}
			t.Errorf("%.2f allocations per packet sent and received", best)
		})
	}
}

// TestAbortedTransfersLeaveNothing: neither goroutines nor descriptors.
func TestAbortedTransfersLeaveNothing(t *testing.T) {
	count := func() (goroutines, descriptors int) {
		fds, _ := os.ReadDir("/proc/self/fd") // none where there is no /proc
		return runtime.NumGoroutine(), len(fds)
	}
	goroutines, descriptors := count()
	for i := range 1000 / thorough() {
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
			(&Receiver{Linger: -1}).Receive(ctx, b, new(bytes.Buffer))
		}()
		s := Sender{Classic: true, MSS: 10, Trace: &Trace{Acked: func(e PacketEvent) {
			switch {
			case e.Seq < 5:
			case i%2 == 0:
				cancel()
			default:
				a.Close()
			}
		}}}
		if _, err := s.Send(ctx, a, []netip.AddrPort{addrOf(b)}, ferry.Source{R: bytes.NewReader(make([]byte, 1000)), Size: 1000}); err == nil {
			t.Fatal("the transfer was not aborted")
		}
		cancel()
		<-done
		a.Close()
		b.Close()
	}
	// A goroutine of the runtime's may come or go; a leak would leave a thousand.
	if g, d := count(); g > goroutines+5 || d > descriptors+5 {
		t.Errorf("%d goroutines and %d descriptors, before %d and %d", g, d, goroutines, descriptors)
	}
}
