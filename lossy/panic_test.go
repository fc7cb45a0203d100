package lossy_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// bad panics at the second packet.
func bad() lossy.Model {
	return lossy.DropIf(func(p lossy.Packet) bool {
		if p.N == 2 {
			panic("my mistake")
		}
		return false
	})
}

// panics calls f, which is to panic and say whose fault it is.
func panics(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if got, want := fmt.Sprint(recover()), "lossy: DropIf: the predicate panicked: my mistake"; got != want {
			t.Errorf("the panic says %q, want %q", got, want)
		}
	}()
	f()
}

// TestPanic: a predicate that panics leaves nothing locked. A test that it
// ends has conns to close.
func TestPanic(t *testing.T) {
	t.Run("Network", func(t *testing.T) {
		// Not in the timer's goroutine, where it ends the program.
		n := lossy.NewNetwork(bad())
		a, b := must(n.NewConn(netip.AddrPort{})), must(n.NewConn(netip.AddrPort{}))
		two := []netip.AddrPort{b.AddrPort(), b.AddrPort()}
		lossy.Hold(n, func() {
			panics(t, func() {
				a.WriteBatch([][]byte{[]byte("x"), []byte("y")}, two, nil)
				for start := time.Now(); time.Since(start) < time.Second; {
					n.Stats()
				}
			})
		})
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, write := range map[string]func(w net.PacketConn, to net.Addr){
		"Wrap": func(w net.PacketConn, to net.Addr) { w.WriteTo([]byte("x"), to) },
		"WrapBatch": func(w net.PacketConn, to net.Addr) {
			w.(interface {
				WriteBatch([][]byte, []netip.AddrPort, []netip.Addr) (int, error)
			}).WriteBatch([][]byte{[]byte("x")}, []netip.AddrPort{to.(*net.UDPAddr).AddrPort()}, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := lossy.NewNetwork()
			a, b := open(t, n), open(t, n)
			w := lossy.Wrap(a, bad())
			write(w, b.LocalAddr())
			panics(t, func() { write(w, b.LocalAddr()) })
			write(w, b.LocalAddr())
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("WrapRead", func(t *testing.T) {
		n := lossy.NewNetwork()
		a, b := open(t, n), open(t, n)
		w := lossy.Wrap(a, lossy.Ingress(bad()))
		for range 3 {
			send(t, b, a, "x")
		}
		receive(t, w)
		panics(t, func() { w.ReadFrom(make([]byte, 10)) })
		receive(t, w)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}
