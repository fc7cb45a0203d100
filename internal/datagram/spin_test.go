package datagram

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A conn that spins looks before it sleeps; and less and less often where there is never
// anything. The clock of the bubble stands still meanwhile.
func TestSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looker := &lookReader{}
		c := open(t.Context(), newFakeConn(), looker, nil)
		defer c.Release()
		c.spinner.time = 50 * time.Microsecond
		later := time.Now().Add(time.Hour) // which looker takes for passed
		var spun []int                     // Reads that did
		for n := range 60 {
			looker.looks = 0
			if _, err := c.Read(later); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			if looker.looks > 1 { // the one after the deadline
				spun = append(spun, n)
			}
		}
		if want := []int{0, 1, 2, 3, 5, 9, 17, 33, 49}; !slices.Equal(spun, want) {
			t.Errorf("Reads %v looked, want %v", spun, want)
		}
		// A packet that is found is returned without a read, and the conn looks more often.
		looker.pkts = []Packet{to(peer, "data")}
		for range maxSkipped { // what is left of them
			_, _ = c.Read(later)
		}
		for range 60 {
			looker.reads = 0
			pkts, err := c.Read(later)
			if err != nil || len(pkts) != 1 {
				t.Fatal(pkts, err)
			}
			if looker.reads > 0 {
				t.Error("a Read slept")
			}
		}
		looker.pkts = nil
		for n := range maxFailures + 1 {
			looker.looks = 0
			if _, _ = c.Read(later); looker.looks <= 1 {
				t.Errorf("after success, failure %d is not forgiven", n)
			}
		}
	})
}

// Between two looks others may run; but one that keeps the processor is not asked again soon.
func TestSpinHogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looker := &lookReader{}
		c := open(t.Context(), newFakeConn(), looker, nil)
		defer c.Release()
		c.spinner.time = 50 * time.Microsecond
		var yields int
		c.yield = func() {
			yields++
			time.Sleep(10 * time.Microsecond)
		}
		later := time.Now().Add(time.Hour)
		if _, _ = c.Read(later); yields != 5 || looker.looks != 7 { // the last after the deadline
			t.Errorf("it gave way %d times in 50 us, and looked %d times", yields, looker.looks)
		}
		c.yield = func() {
			yields++
			time.Sleep(3 * time.Millisecond)
			looker.pkts = []Packet{to(peer, "data")}
		}
		if pkts, _ := c.Read(later); len(pkts) != 1 {
			t.Errorf("%d packets", len(pkts))
		}
		yields = 0
		for n := 0; yields == 0; n++ {
			looker.pkts = nil
			if _, _ = c.Read(later); (yields > 0) != (n == skipAfterLong) {
				t.Fatalf("Read %d looked: %v", n, yields > 0)
			}
		}
	})
}

// A conn that does not spin only reads; and errors end the looking.
func TestSpinErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		looker := &lookReader{err: broken}
		c := open(t.Context(), newFakeConn(), looker, nil)
		defer c.Release()
		if _, err := c.Read(past); !errors.Is(err, broken) || looker.reads != 1 {
			t.Errorf("%v after %d reads", err, looker.reads)
		}
		c.spinner.time = 50 * time.Microsecond
		if _, err := c.Read(time.Now().Add(time.Hour)); !errors.Is(err, broken) || looker.reads != 1 {
			t.Errorf("%v after %d reads", err, looker.reads)
		}
		// It does not look again when the context has ended.
		ctx, cancel := context.WithCancel(t.Context())
		c.ctx, c.yield = ctx, cancel
		looker.err, looker.looks = nil, 0
		if _, err := c.spin(looker, time.Time{}); err != nil || looker.looks != 2 {
			t.Errorf("%v after %d looks", err, looker.looks)
		}
		c.ctx = t.Context()
		// Where the time is over, or will be soon, it does not look twice.
		looker.err, looker.looks = nil, 0
		if _, err := c.Read(time.Now().Add(20 * time.Microsecond)); !errors.Is(err, os.ErrDeadlineExceeded) || looker.looks != 1 {
			t.Errorf("%v after %d looks", err, looker.looks)
		}
		looker.err, looker.looks = nil, 0
		if _, err := c.Read(past); !errors.Is(err, os.ErrDeadlineExceeded) || looker.looks != 1 {
			t.Errorf("%v after %d looks", err, looker.looks)
		}
	})
}
