package datagram

import (
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
		// What is found is returned without a read, and encourages.
		looker.pkts = []Packet{to(peer, "data")}
		for range mostSkipped { // what is left of them
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
	})
}

// A conn that does not spin only reads; and errors end the looking.
func TestSpinErrors(t *testing.T) {
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
	// Where the time is over it does not look twice.
	looker.err, looker.looks = nil, 0
	if _, err := c.Read(past); !errors.Is(err, os.ErrDeadlineExceeded) || looker.looks != 1 {
		t.Errorf("%v after %d looks", err, looker.looks)
	}
}
