package bench

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/marcopolo/simnet"
	"github.com/pion/logging"
	"github.com/pion/transport/v4/vnet"

	"github.com/ferrygo/ferry/lossy"
)

// A pair makes two conns of a network in memory that takes 50 ms from one to the other, and a function
// that ends it.
type pair func(tb testing.TB) (a, z net.PacketConn, end func())

const networkDelay = 50 * time.Millisecond

var networks = []struct {
	name string
	pair pair
}{
	{"ferry", ferryPair},
	{"vnet", vnetPair},
	{"simnet", simnetPair},
}

func ferryPair(tb testing.TB) (a, z net.PacketConn, end func()) {
	n := lossy.NewNetwork(lossy.Delay(networkDelay))
	open := func() net.PacketConn {
		c, err := n.NewConn(netip.AddrPort{})
		if err != nil {
			tb.Fatal(err)
		}
		return c
	}
	a, z = open(), open()
	return a, z, func() { a.Close(); z.Close() }
}

func vnetPair(tb testing.TB) (a, z net.PacketConn, end func()) {
	check := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	router, err := vnet.NewRouter(&vnet.RouterConfig{
		CIDR: "10.0.0.0/24", MinDelay: networkDelay, LoggerFactory: logging.NewDefaultLoggerFactory(),
	})
	check(err)
	open := func(ip string) func() net.PacketConn {
		host, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{ip}})
		check(err)
		check(router.AddNet(host))
		return func() net.PacketConn {
			c, err := host.ListenPacket("udp4", ip+":5000")
			check(err)
			return c
		}
	}
	openA, openZ := open("10.0.0.1"), open("10.0.0.2")
	check(router.Start())
	a, z = openA(), openZ()
	return a, z, func() {
		a.Close()
		z.Close()
		check(router.Stop())
	}
}

func simnetPair(testing.TB) (a, z net.PacketConn, end func()) {
	n := &simnet.Simnet{
		LatencyFunc: simnet.StaticLatency(networkDelay),
		Logger:      slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	// 100 Gbit/s, which never limits.
	link := simnet.LinkSettings{BitsPerSecond: 100_000 * simnet.Mibps}
	open := func(n *simnet.Simnet, i byte) net.PacketConn {
		return n.NewEndpoint(&net.UDPAddr{IP: net.IPv4(10, 0, 0, i), Port: 5000}, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link})
	}
	a, z = open(n, 1), open(n, 2)
	n.Start()
	return a, z, func() {
		a.Close()
		z.Close()
		n.Close()
	}
}

// stopAndWait sends packets of 512 bytes, each when the one before has been acknowledged, and returns how
// many were.
func stopAndWait(a, z net.PacketConn, packets int) (acknowledged int) {
	done := make(chan bool)
	go func() {
		defer close(done)
		buf := make([]byte, 1000)
		for range packets {
			_, from, err := z.ReadFrom(buf)
			if err != nil {
				return
			}
			z.WriteTo(buf[:4], from)
		}
	}()
	data, ack, to := make([]byte, 512), make([]byte, 10), z.LocalAddr()
	for range packets {
		a.WriteTo(data, to)
		if n, _, err := a.ReadFrom(ack); n != 4 || err != nil {
			break
		}
		acknowledged++
	}
	<-done
	return acknowledged
}

// TestNetworksAgree: on all of them a hundred packets take a hundred round trips, or a little more.
func TestNetworksAgree(t *testing.T) {
	for _, n := range networks {
		synctest.Test(t, func(t *testing.T) {
			a, z, end := n.pair(t)
			defer end()
			start := time.Now()
			got := stopAndWait(a, z, 100)
			const most = 2 * 100 * networkDelay
			if d := time.Since(start); got != 100 || d < most || d > most+most/10 {
				t.Errorf("%s: %d of 100 packets took %v, want %v", n.name, got, d, most)
			}
		})
	}
}

// BenchmarkNetwork sends 8 MiB in virtual time, one packet at a time, over 50 ms each way. It reports
// processor time, too, and by how much that of the others exceeds ours: that says more than the clock
// where the processors have other work.
func BenchmarkNetwork(b *testing.B) {
	const packets = 8 << 20 / 512
	var contenders []contender
	cpu := make([][]float64, len(networks))
	for i, n := range networks {
		contenders = append(contenders, contender{n.name, func() {
			before := cpuTime()
			inBubble(b, func() {
				a, z, end := n.pair(b)
				defer end()
				if got := stopAndWait(a, z, packets); got != packets {
					b.Errorf("%s: %d of %d packets", n.name, got, packets)
				}
			})
			cpu[i] = append(cpu[i], float64(cpuTime()-before))
		}})
	}
	race(b, contenders...)
	ours := median(cpu[0])
	b.ReportMetric(2*packets/ours*1e9, networks[0].name+"-packets/cpu-s")
	for i, n := range networks[1:] {
		b.ReportMetric(median(cpu[i+1])/ours, n.name+"/ferry-cpu")
	}
}

// A sink is a conn that counts what is written to it, and tells when it has got enough.
type sink struct {
	net.PacketConn
	left     atomic.Int64
	done     chan bool
	last     atomic.Uint64 // the number in the last packet
	disorder atomic.Int64  // how many came after a later one
}

func (s *sink) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (s *sink) WriteTo(b []byte, _ net.Addr) (int, error) {
	if n := binary.BigEndian.Uint64(b); s.last.Swap(n) > n {
		s.disorder.Add(1)
	}
	if s.left.Add(-1) == 0 {
		s.done <- true
	}
	return len(b), nil
}

// An afterFunc delays what is written to a conn in the way that comes to mind first: with a timer for each
// packet.
type afterFunc struct {
	*sink
	delay time.Duration
}

func (c *afterFunc) WriteTo(b []byte, to net.Addr) (int, error) {
	kept := bytes.Clone(b)
	time.AfterFunc(c.delay, func() { c.sink.WriteTo(kept, to) })
	return len(b), nil
}

// BenchmarkDelay writes 20,000 packets through a constant delay of a millisecond, and waits for the last.
// It also reports how many left out of order. See BenchmarkNetwork about processor time.
func BenchmarkDelay(b *testing.B) {
	const packets = 20_000
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2}
	var contenders []contender
	cpu, sinks := make([][]float64, 2), []*sink{{done: make(chan bool)}, {done: make(chan bool)}}
	for i, pc := range []net.PacketConn{
		lossy.Wrap(sinks[0], lossy.Delay(time.Millisecond)), &afterFunc{sinks[1], time.Millisecond},
	} {
		name := []string{"ferry", "afterfunc"}[i]
		contenders = append(contenders, contender{name, func() {
			s := sinks[i]
			s.left.Store(packets)
			s.last.Store(0)
			payload := make([]byte, 1200)
			before := cpuTime()
			for n := range uint64(packets) {
				binary.BigEndian.PutUint64(payload, n)
				pc.WriteTo(payload, to)
			}
			<-s.done
			cpu[i] = append(cpu[i], float64(cpuTime()-before))
		}})
	}
	race(b, contenders...)
	b.ReportMetric(median(cpu[1])/median(cpu[0]), "afterfunc/ferry-cpu")
	b.ReportMetric(float64(sinks[0].disorder.Load()), "ferry-disorder")
	b.ReportMetric(float64(sinks[1].disorder.Load()), "afterfunc-disorder")
}

// inBubble runs f in virtual time.
func inBubble(b *testing.B, f func()) {
	b.Helper()
	ok := testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "bubble",
		F:    func(t *testing.T) { synctest.Test(t, func(*testing.T) { f() }) },
	}})
	if !ok {
		b.Fatal("the bubble failed")
	}
}
