package lossy_test

import (
	"encoding/binary"
	"fmt"
	"hash"
	"hash/fnv"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/lossy/pcapng"
)

// TestDeterminism runs a busy network again and again, on any number of cores:
// the trace, the bytes of the capture, and what each conn reads, and when, are
// always the same. Counters and queues that all flows share are included.
func TestDeterminism(t *testing.T) {
	t.Parallel()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	first := ""
	for _, cores := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(cores)
		for run := range 100 / lossy.RaceFactor {
			got := busyNetwork(t, 1)
			if first == "" {
				first = got
				t.Log(first)
			}
			if got != first {
				t.Fatalf("run %d on %d cores: %s, want %s", run, cores, got, first)
			}
		}
	}
	if other := busyNetwork(t, 2); other == first {
		t.Errorf("another seed gives the same: %s", other)
	}
}

// busyNetwork sends between a hub and eight others, both ways at once, and
// returns a digest of all that happened.
func busyNetwork(t *testing.T, seed uint64) (digest string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		trace, file := fnv.New64a(), fnv.New64a()
		events := 0
		capture, err := pcapng.NewWriter(file)
		if err != nil {
			t.Fatal(err)
		}
		n := lossy.NewNetwork(
			lossy.Seed(seed),
			lossy.WithTrace(capture.Trace()),
			lossy.Correlated(0.5, lossy.Corrupt(0.05)),
			lossy.GilbertElliott(0.02, 0.3, 0.9, 0),
			lossy.Crowding(20*time.Millisecond, 0.05, 0.001, lossy.CountBothWays),
			lossy.Shared(lossy.Rate(8e6, 8)),
			lossy.Loss(0.05),
			lossy.Duplicate(0.05),
			lossy.Jitter(0, 3*time.Millisecond),
			lossy.WithTrace(&lossy.Trace{Judged: func(e lossy.Event) {
				events++
				note(trace, e)
			}}),
		)
		hub := must(n.NewConn(addr("10.0.1.1:1")))
		var conns []*lossy.Conn
		for range 8 {
			conns = append(conns, must(n.NewConn(netip.AddrPort{})))
		}
		var wg sync.WaitGroup
		sums := make([]uint64, 1+len(conns))
		wg.Go(func() { sums[0] = fanOut(hub, conns) })
		for i, c := range conns {
			c.SetReadBuffer(1000)
			if err := c.JoinGroup(testGroup); err != nil {
				t.Fatal(err)
			}
			wg.Go(func() { sums[1+i] = askAgain(c, hub.AddrPort(), i) })
		}
		wg.Wait()
		digest = fmt.Sprintf("%d events %x, capture %x, read %x, %+v", events, trace.Sum64(), file.Sum64(), sums, n.Stats())
	})
	return digest
}

// TestWatchedAlike: a network without a trace may judge packets later, and
// must come to the same verdicts.
func TestWatchedAlike(t *testing.T) {
	run := func(watch ...lossy.Option) (digest string) {
		synctest.Test(t, func(t *testing.T) {
			n := lossy.NewNetwork(append(watch,
				lossy.Loss(0.1),
				lossy.Shared(lossy.Rate(8e6, 20)),
				lossy.Duplicate(0.1),
				lossy.Delay(time.Millisecond),
				lossy.Jitter(time.Millisecond, 3*time.Millisecond),
			)...)
			hub := must(n.NewConn(addr("10.0.1.1:1")))
			conns := []*lossy.Conn{open(t, n), open(t, n), open(t, n)}
			var wg sync.WaitGroup
			sums := make([]uint64, 1+len(conns))
			wg.Go(func() { sums[0] = fanOut(hub, conns) })
			for i, c := range conns {
				wg.Go(func() { sums[1+i] = askAgain(c, hub.AddrPort(), i) })
			}
			time.Sleep(20 * time.Millisecond)
			n.SetModels(lossy.Loss(0.3), lossy.Delay(time.Microsecond))
			time.Sleep(20 * time.Millisecond)
			if err := n.Partition([]netip.Addr{host(conns[0])}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
			n.Heal()
			n.SetLink(host(hub), host(conns[1]), lossy.DropEvery(2))
			wg.Wait()
			digest = fmt.Sprintf("read %x, %+v", sums, n.Stats())
		})
		return digest
	}
	watched := run(lossy.WithTrace(&lossy.Trace{Judged: func(lossy.Event) {}}))
	if got := run(); got != watched {
		t.Errorf("unwatched: %s\nwatched: %s", got, watched)
	}
}

// note adds an event to a digest.
func note(h hash.Hash, e lossy.Event) {
	var b [200]byte
	x, _ := e.From.AppendBinary(b[:0])
	x, _ = e.To.AppendBinary(x)
	x = append(x, e.Cause...)
	x = append(x, byte(e.Direction), byte(e.Verdict), byte(e.Copy))
	for _, v := range []int64{int64(e.N), int64(e.Delay), e.Time.UnixNano(), int64(len(e.Payload))} {
		x = binary.BigEndian.AppendUint64(x, uint64(v))
	}
	h.Write(x)
}

// noteRead adds what a read returned to a digest.
func noteRead(h hash.Hash, n int, from netip.AddrPort) {
	x, _ := from.AppendBinary(nil)
	x = binary.BigEndian.AppendUint64(x, uint64(n))
	h.Write(binary.BigEndian.AppendUint64(x, uint64(time.Now().UnixNano())))
}

// fanOut sends a round to all conns every 2 ms, and answers what comes.
func fanOut(hub *lossy.Conn, conns []*lossy.Conn) uint64 {
	sum := fnv.New64a()
	buf := make([]byte, 1500)
	for round := range 40 {
		for _, c := range conns {
			hub.WriteToUDPAddrPort(buf[:500+round], c.AddrPort())
		}
		hub.WriteToUDPAddrPort(buf[:round], netip.AddrPortFrom(testGroup, conns[round%len(conns)].AddrPort().Port()))
		hub.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
		for {
			k, from, err := hub.ReadFromUDPAddrPort(buf)
			if err != nil {
				break
			}
			noteRead(sum, k, from)
			hub.WriteToUDPAddrPort(buf[:k/2], from)
		}
	}
	return sum.Sum64()
}

// askAgain sends packets one after the other, and waits for each until
// something comes back, but no longer than a millisecond and a half.
func askAgain(c *lossy.Conn, hub netip.AddrPort, i int) uint64 {
	sum := fnv.New64a()
	buf := make([]byte, 1500)
	for step := range 50 {
		binary.BigEndian.PutUint32(buf, uint32(step))
		c.WriteToUDPAddrPort(buf[:100+10*i], hub)
		c.SetReadDeadline(time.Now().Add(1500 * time.Microsecond))
		k, from, _ := c.ReadFromUDPAddrPort(buf)
		noteRead(sum, k, from)
	}
	return sum.Sum64()
}

// TestDeterministicWrap checks that a wrapped conn with a seed does the same
// to the same packets.
func TestDeterministicWrap(t *testing.T) {
	run := func(seed uint64) (digest string) {
		synctest.Test(t, func(t *testing.T) {
			trace := fnv.New64a()
			n := lossy.NewNetwork()
			a, b := open(t, n), open(t, n)
			w := lossy.Wrap(b, lossy.Seed(seed),
				lossy.Both(lossy.Loss(0.2), lossy.Duplicate(0.1), lossy.NormalDelay(5*time.Millisecond, time.Millisecond)),
				lossy.WithTrace(&lossy.Trace{Judged: func(e lossy.Event) {
					note(trace, e)
				}}))
			var wg sync.WaitGroup
			wg.Go(func() {
				buf := make([]byte, 100)
				w.SetReadDeadline(time.Now().Add(5 * time.Second))
				for {
					k, from, err := w.ReadFrom(buf)
					if err != nil {
						return
					}
					w.WriteTo(buf[:k], from)
				}
			})
			for i := range 500 {
				a.WriteTo(fmt.Append(nil, i), b.LocalAddr())
				time.Sleep(700 * time.Microsecond)
			}
			wg.Wait()
			w.Close()
			egress, ingress := lossy.StatsOf(w)
			digest = fmt.Sprintf("%x %+v %+v", trace.Sum64(), egress, ingress)
		})
		return digest
	}
	first := run(1)
	t.Log(first)
	for range 20 {
		if got := run(1); got != first {
			t.Fatalf("%s, want %s", got, first)
		}
	}
	if run(2) == first {
		t.Error("another seed gives the same")
	}
}
