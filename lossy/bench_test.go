package lossy_test

import (
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// nullConn takes everything and does nothing with it.
type nullConn struct{ net.PacketConn }

var (
	nullLocal  = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1).To4(), Port: 1}
	nullRemote = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1).To4(), Port: 2}
)

func (nullConn) LocalAddr() net.Addr                       { return nullLocal }
func (nullConn) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), nil }
func (nullConn) ReadFrom(b []byte) (int, net.Addr, error)  { return len(b), nullRemote, nil }
func (nullConn) SetReadDeadline(time.Time) error           { return nil }
func (nullConn) Close() error                              { return nil }
func (nullConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	return len(b), netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 2), nil
}

// BenchmarkWrap measures what wrapping adds to a write: the conn beneath does
// nothing.
func BenchmarkWrap(b *testing.B) {
	for _, test := range []struct {
		name    string
		options []lossy.Option
	}{
		{"Nothing", nil},
		{"Count", []lossy.Option{lossy.Count()}},
		{"Traced", []lossy.Option{lossy.WithTrace(&lossy.Trace{Judged: func(lossy.Event) {}})}},
		{"Loss", []lossy.Option{lossy.Loss(0.1)}},
		{"LossDuplicateRate", []lossy.Option{lossy.Loss(0.1), lossy.Duplicate(0.01), lossy.Rate(1e15, 100)}},
		{"Crowding", []lossy.Option{lossy.Crowding(time.Millisecond, 0.1, 0.025)}},
		{"Delay", []lossy.Option{lossy.Delay(time.Millisecond)}},
		{"NormalDelay", []lossy.Option{lossy.NormalDelay(time.Millisecond, 200*time.Microsecond)}},
	} {
		b.Run(test.name, func(b *testing.B) {
			w := lossy.Wrap(nullConn{}, test.options...)
			payload := make([]byte, 1200)
			b.ReportAllocs()
			for b.Loop() {
				w.WriteTo(payload, nullRemote)
			}
			w.Close()
		})
	}
}

// BenchmarkWrapRead measures what wrapping adds to a read.
func BenchmarkWrapRead(b *testing.B) {
	w := lossy.Wrap(nullConn{}, lossy.Ingress(lossy.Loss(0.1)))
	buf := make([]byte, 1200)
	b.ReportAllocs()
	for b.Loop() {
		w.ReadFrom(buf)
	}
}

// BenchmarkNetworkStopAndWait sends 8 MiB over a link of 50 ms each way, one
// packet of 512 bytes at a time, in virtual time.
func BenchmarkNetworkStopAndWait(b *testing.B) {
	const packets = 8 << 20 / 512
	b.SetBytes(8 << 20)
	b.ReportAllocs()
	for b.Loop() {
		bubble(b, func() { stopAndWait(packets) })
	}
	b.ReportMetric(2*packets*float64(b.N)/b.Elapsed().Seconds(), "packets/s")
}

func stopAndWait(packets int) {
	n := lossy.NewNetwork(lossy.Delay(50 * time.Millisecond))
	a, z := must(n.NewConn(netip.AddrPort{})), must(n.NewConn(netip.AddrPort{}))
	done := make(chan bool)
	go func() {
		defer close(done)
		buf := make([]byte, 1000)
		for range packets {
			_, from, _ := z.ReadFromUDPAddrPort(buf)
			z.WriteToUDPAddrPort(buf[:4], from)
		}
	}()
	data, ack := make([]byte, 512), make([]byte, 10)
	for range packets {
		a.WriteToUDPAddrPort(data, z.AddrPort())
		a.ReadFromUDPAddrPort(ack)
	}
	<-done
}

// BenchmarkNetworkWindow sends windows of 64 packets of 1400 bytes to each of
// four conns.
func BenchmarkNetworkWindow(b *testing.B) {
	const rounds, window, fan = 100, 64, 4
	b.SetBytes(rounds * window * fan * 1400)
	b.ReportAllocs()
	for b.Loop() {
		bubble(b, func() { windows(rounds, window, fan) })
	}
	b.ReportMetric(rounds*window*fan*float64(b.N)/b.Elapsed().Seconds(), "packets/s")
}

func windows(rounds, window, fan int) {
	n := lossy.NewNetwork(lossy.NormalDelay(50*time.Millisecond, 10*time.Millisecond), lossy.Loss(0.01))
	a := must(n.NewConn(netip.AddrPort{}))
	var to []netip.AddrPort
	for range fan {
		z := must(n.NewConn(netip.AddrPort{}))
		defer z.Close()
		to = append(to, z.AddrPort())
		go func() {
			buf := make([]byte, 1500)
			for {
				if _, _, err := z.ReadFromUDPAddrPort(buf); err != nil {
					return
				}
			}
		}()
	}
	data := make([]byte, 1400)
	for range rounds {
		for range window {
			for _, z := range to {
				a.WriteToUDPAddrPort(data, z)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(time.Second)
}

// bubble runs f in a synctest bubble, which a benchmark cannot start.
func bubble(b *testing.B, f func()) {
	b.Helper()
	ok := testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "bubble",
		F:    func(t *testing.T) { synctest.Test(t, func(*testing.T) { f() }) },
	}})
	if !ok {
		b.Fatal("the bubble failed")
	}
}
