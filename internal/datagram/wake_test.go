package datagram

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// Wake ends the Read that waits, and the next one if none does; after that all is as
// before.
func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pc := newFakeConn()
		c := Open(t.Context(), pc, Config{})
		defer c.Release()
		start := time.Now()
		at := func(what string, want time.Duration, pkts []Packet, err, wantErr error) {
			t.Helper()
			if got := time.Since(start); got != want || len(pkts) != 0 || !errors.Is(err, wantErr) {
				t.Errorf("%s: %d packets, %v after %v; want none, %v after %v", what, len(pkts), err, got, wantErr, want)
			}
		}
		for _, deadline := range []time.Time{{}, start.Add(time.Minute), start.Add(time.Hour)} {
			began := time.Since(start)
			time.AfterFunc(time.Second, c.Wake)
			pkts, err := c.Read(deadline)
			at("waiting", began+time.Second, pkts, err, nil)
		}
		c.Wake()
		c.Wake() // counts once
		pkts, err := c.Read(time.Time{})
		at("before", 3*time.Second, pkts, err, nil)
		pkts, err = c.Read(start.Add(time.Minute))
		at("deadline", time.Minute, pkts, err, os.ErrDeadlineExceeded)
		c.Wake()
		pkts, err = c.Read(start) // passed
		at("passed", time.Minute, pkts, err, nil)
		pkts, err = c.Read(start)
		at("passed, again", time.Minute+grace, pkts, err, os.ErrDeadlineExceeded)
		pc.arrive(from(peer, "data"))
		c.Wake()
		pkts, err = c.Read(time.Time{})
		at("before a packet", time.Minute+grace, pkts, err, nil)
		if pkts, err := c.Read(time.Time{}); len(pkts) != 1 || err != nil {
			t.Errorf("the packet is lost: %v, %v", pkts, err)
		}
	})
}

// No order of a Wake and a Read loses the Wake.
func TestWakeOfSocket(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			c := way(t.Context(), loopback(t, "udp4", "127.0.0.1:0"), Config{Spin: 20 * time.Microsecond, Yield: true})
			defer c.Release()
			for range 200 {
				go c.Wake()
				if pkts, err := c.Read(time.Now().Add(time.Minute)); len(pkts) != 0 || err != nil {
					t.Fatal(pkts, err)
				}
			}
		})
	}
}

// A Wake after Release leaves the conn's deadline alone.
func TestWakeAfterRelease(t *testing.T) {
	pc := newFakeConn()
	c := Open(t.Context(), pc, Config{})
	c.Release()
	c.Wake()
	if !pc.deadline.IsZero() {
		t.Errorf("the read deadline is %v", pc.deadline)
	}
}
