package p2mp

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// TestRate: the cap holds.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		data := noise(1, 1_000_000)
		report, err := p.send(Sender{Rate: 8e6}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		// Three times 1 MB and the headers, at 1 MB/s.
		if s := report.Elapsed.Seconds(); s < 2.95 || s > 3.2 {
			t.Errorf("took %v, want about 3 s", report.Elapsed)
		}
	})
}

// Receivers share what Rate allows: none is so long without a chunk that it gives up.
func TestRateIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		data := noise(1, 2_000_000)
		report, err := p.send(Sender{Rate: 1e6}, data)
		if err != nil {
			t.Error(err)
		}
		p.check(data)
		for i, r := range report.Peers { // all of the 48 s that the three take together
			if s := r.Elapsed.Seconds(); s < 45 || s > 52 {
				t.Errorf("receiver %d was complete after %v, want about 48 s", i, r.Elapsed)
			}
		}
	})
}

// The classic mode also keeps to the cap.
func TestRateClassic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		data := noise(1, 100_000)
		report, err := p.send(Sender{Classic: true, Rate: 8e5}, data)
		if err != nil {
			t.Fatal(err)
		}
		if s := report.Elapsed.Seconds(); s < 2.9 { // 3 * 100 kB at 100 kB/s
			t.Errorf("took %v, want about 3 s", report.Elapsed)
		}
	})
}

// At 12 s for a chunk, no receiver gives up in between.
func TestLowRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 4, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		data := noise(1, 14000)
		report, err := p.send(Sender{Rate: 1000}, data)
		if s := report.Elapsed.Seconds(); err != nil || s < 430 || s > 460 {
			t.Errorf("%v after %v, want none after about 4*14080*8/1000 s", err, report.Elapsed)
		}
	})
}

// Where a chunk takes longer to all receivers than one of them is waited for, none is given
// up for that, not even where chunks are lost; and round trips are those of the network.
func TestLowRateClassic(t *testing.T) {
	for _, loss := range []float64{0, 0.1} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 30, lossy.Delay(time.Millisecond), lossy.Loss(loss))
			p.receive(Receiver{GiveUp: time.Minute, Linger: time.Minute})
			data := noise(1, 4000)
			report, err := p.send(Sender{Classic: true, Rate: 30e3}, data)
			if err != nil {
				t.Fatalf("loss %v: %v", loss, err)
			}
			p.check(data)
			for i, r := range report.Peers {
				if r.RTT > 3*time.Millisecond {
					t.Errorf("loss %v: receiver %d is %v away, want 2ms", loss, i, r.RTT)
				}
			}
		})
	}
}
