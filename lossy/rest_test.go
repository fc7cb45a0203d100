package lossy

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// TestNetworkLeavesNothing checks that a network that is at rest has no timer
// set and no event left. (That no goroutine is left the bubble checks.)
func TestNetworkLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(Jitter(0, time.Second), Duplicate(0.3))
		for range 20 {
			a, b := must(n.NewConn(netip.AddrPort{})), must(n.NewConn(netip.AddrPort{}))
			a.SetDeadline(time.Now().Add(time.Hour))
			b.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			for range 50 {
				a.WriteToUDPAddrPort([]byte("x"), b.AddrPort())
			}
			b.ReadFrom(nil)
			a.Close()
			b.Close()
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.alarm != never || n.timer.Stop() {
			t.Errorf("a timer is set for %v", n.alarm)
		}
		if len(n.leaving) != 0 {
			t.Errorf("%d closed conns are kept", len(n.leaving))
		}
		if len(n.heap.nodes) != 0 || len(n.sent) != 0 || len(n.hosts.conns) != 0 || len(n.hosts.count) != 0 {
			t.Errorf("%d events, %d packets, %d conns at %d hosts are left",
				len(n.heap.nodes), len(n.sent), len(n.hosts.conns), len(n.hosts.count))
		}
	})
}

// TestTimerStopped checks that a deadline that is of no use any more does not
// keep the timer, and with it the network, for its time.
func TestTimerStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		alarm := func() time.Duration {
			n.mu.Lock()
			defer n.mu.Unlock()
			return n.alarm
		}
		for _, end := range []func(*Conn) error{
			(*Conn).Close,
			func(c *Conn) error { return c.SetReadDeadline(time.Time{}) },
			func(c *Conn) error { return c.SetDeadline(time.Now()) },
		} {
			c := must(n.NewConn(netip.AddrPort{}))
			c.SetReadDeadline(time.Now().Add(time.Hour))
			if got := alarm(); got != time.Hour {
				t.Errorf("with a deadline in an hour the timer is set for %v", got)
			}
			if err := end(c); err != nil {
				t.Fatal(err)
			}
			if got := alarm(); got != never || n.timer.Stop() {
				t.Errorf("without a deadline the timer is set for %v", got)
			}
		}
	})
}

// TestInFlightReturns checks that the bytes in flight are counted down again,
// whatever becomes of the packets.
func TestInFlightReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(Loss(0.2), Duplicate(0.2), Rate(1e6, 20), Jitter(0, time.Second))
		a, b := must(n.NewConn(netip.AddrPort{})), must(n.NewConn(netip.AddrPort{}))
		w := Wrap(b, Both(Duplicate(0.5), Jitter(0, time.Second))).(*wrapped)
		b.SetReadBuffer(10000)
		w.SetReadDeadline(time.Now().Add(5 * time.Second))
		go func() {
			for range 2000 {
				a.WriteToUDPAddrPort(make([]byte, 500), b.AddrPort())
				a.WriteToUDPAddrPort(make([]byte, 500), netip.MustParseAddrPort("10.9.9.9:9"))
				time.Sleep(time.Millisecond)
			}
		}()
		buf := make([]byte, 1000)
		for {
			k, from, err := w.ReadFrom(buf)
			if err != nil {
				break
			}
			w.WriteTo(buf[:k], from)
		}
		time.Sleep(10 * time.Second)
		if n.Stats().Overflowed == 0 || n.Stats().QueueFull == 0 || n.Stats().Unreachable == 0 {
			t.Errorf("the test shows too little: %+v", n.Stats())
		}
		if a.inFlight != 0 || b.inFlight != 0 {
			t.Errorf("%d and %d bytes are in flight", a.inFlight, b.inFlight)
		}
		if w.out.bytes != 0 || w.in.bytes != 0 {
			t.Errorf("%d and %d bytes are held", w.out.bytes, w.in.bytes)
		}
	})
}

// TestWrapHoldsLimited checks the bound on what a wrapped conn holds.
func TestWrapHoldsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		a, b := must(n.NewConn(netip.AddrPort{})), must(n.NewConn(netip.AddrPort{}))
		w := Wrap(b, Both(Delay(time.Hour))).(*wrapped)
		big := make([]byte, 60000)
		const sent, fit = 1200, maxInFlight / (60000 + overhead)
		for range sent {
			if _, err := w.WriteTo(big, a.LocalAddr()); err != nil {
				t.Fatal(err)
			}
		}
		b.SetReadBuffer(1 << 30)
		for range sent {
			a.WriteTo(big, b.LocalAddr())
			time.Sleep(time.Millisecond)
		}
		w.SetReadDeadline(time.Now().Add(time.Second))
		w.ReadFrom(nil)
		out, in := w.Stats()
		if out.OverLimit != sent-fit || in.OverLimit != sent-fit {
			t.Errorf("%d and %d of %d were too many, want %d", out.OverLimit, in.OverLimit, sent, sent-fit)
		}
		a.SetReadBuffer(1 << 30)
		time.Sleep(2 * time.Hour)
		if out, _ := w.Stats(); out.Passed != fit || out.Refused != 0 {
			t.Errorf("statistics are %+v, want %d passed", out, fit)
		}
	})
}

// TestLateTimer checks that a timer that goes off while its goroutine is at
// work does nothing: it may have gone off when it was set again.
func TestLateTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		a, b := must(n.NewConn(netip.AddrPort{})), must(n.NewConn(netip.AddrPort{}))
		w := Wrap(a, Delay(time.Second)).(*wrapped)
		w.WriteTo([]byte("x"), b.LocalAddr())
		w.mu.Lock()
		w.out.sending = true
		w.mu.Unlock()
		time.Sleep(2 * time.Second)
		w.depart()
		if out, _ := w.Stats(); out.Passed != 0 {
			t.Error("a second goroutine writes")
		}
		w.mu.Lock()
		w.out.sending = false
		w.mu.Unlock()
		w.depart()
		w.depart() // there is nothing to do
		if out, _ := w.Stats(); out.Passed != 1 {
			t.Error("the packet was not written")
		}
	})
}
