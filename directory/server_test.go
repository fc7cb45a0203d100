package directory

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestServerAnswersOnce: each datagram draws one acknowledgement, and no more comes
// until the next.
func TestServerAnswersOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t, &Server{})
		c := v.listen("10.0.0.2")
		buf := make([]byte, readSize)
		for range 3 {
			if _, err := c.WriteTo([]byte("1 10.0.0.2 80  1 1"), net.UDPAddrFromAddrPort(v.at)); err != nil {
				t.Fatal(err)
			}
			c.SetReadDeadline(time.Now().Add(DefaultExpiry + time.Second))
			got := 0
			for {
				n, _, err := c.ReadFrom(buf)
				if err != nil {
					break
				}
				if got++; string(buf[:n]) != "1 10.0.0.2 80  2 1" {
					t.Errorf("got %q", buf[:n])
				}
			}
			if got != 1 {
				t.Errorf("%d answers", got)
			}
		}
		if s := v.shut(); s.Received != 3 || s.Sent != 3 || s.Updates != 3 || s.Expired != 3 {
			t.Errorf("%+v", s)
		}
		c.Close()
	})
}
