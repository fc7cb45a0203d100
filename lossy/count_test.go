package lossy

import (
	"errors"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// TestCountSegments: of a buffer that holds several datagrams, all are counted.
func TestCountSegments(t *testing.T) {
	w := &wrapped{}
	w.countRead([]int{10, 11, 4, 5, 0, 7}, []int{5, 5, 5, 5, 5, 0})
	if s := w.in.stats; s.Packets != 2+3+1+1+1+1 || s.Bytes != 37 {
		t.Errorf("statistics are %+v", s)
	}
}

// TestTimelessDeadline: models that need no clock do not keep a deadline for
// writing from passing.
func TestTimelessDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		w := Wrap(must(n.NewConn(netip.AddrPort{})), Loss(1))
		if !w.(*wrapped).out.timeless {
			t.Fatal("Loss needs the clock")
		}
		w.SetWriteDeadline(time.Now().Add(time.Second))
		time.Sleep(time.Second)
		if _, err := w.WriteTo([]byte("x"), w.LocalAddr()); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after the deadline: %v", err)
		}
	})
}
