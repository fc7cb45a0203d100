package lossy_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

func TestSmoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork(lossy.NormalDelay(50*time.Millisecond, 10*time.Millisecond), lossy.Loss(.3), lossy.Duplicate(.1), lossy.Seed(1))
		a, _ := n.NewConn(netip.AddrPort{})
		b, _ := n.NewConn(netip.AddrPort{})
		w := lossy.Wrap(b, lossy.Both(lossy.Loss(.1), lossy.Jitter(0, time.Millisecond)), lossy.Seed(3))
		for range 1000 {
			a.WriteTo([]byte("hi"), b.LocalAddr())
			time.Sleep(time.Millisecond)
		}
		got := 0
		w.SetReadDeadline(time.Now().Add(time.Second))
		for {
			buf := make([]byte, 10)
			_, from, err := w.ReadFrom(buf)
			if err != nil {
				t.Log(err)
				break
			}
			w.WriteTo(buf[:2], from)
			got++
		}
		t.Log(got, n.Stats())
		t.Log(lossy.StatsOf(w))
		w.Close()
		a.Close()
	})
}
