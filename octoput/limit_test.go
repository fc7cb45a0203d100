package octoput

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// rounds is the expected number of round trips for an octoblock where each packet is
// lost with probability p, the losses are seen at once, and no acknowledgement is lost:
// the expected maximum of eight geometric variates.
func rounds(p float64) (sum float64) {
	for k := range 200 {
		sum += 1 - math.Pow(1-math.Pow(p, float64(k)), LegsPerBlock)
	}
	return sum
}

// goodput transfers size bytes in virtual time and returns the bytes per second of it.
func goodput(t *testing.T, size int, rtt time.Duration, loss float64, seed uint64) (rate float64, took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, lossy.Seed(seed), lossy.Loss(loss), lossy.Delay(rtt/2))
		p.receive(Receiver{Linger: 10 * time.Minute})
		data := noise(seed, size)
		report, err := p.send(Sender{GiveUp: time.Hour, JoinTimeout: time.Hour}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.stop()
		p.check(data)
		took = report.Elapsed
		rate = float64(size) / took.Seconds()
	})
	return rate, took
}

// TestLimit: at most one octoblock is in flight, so an octoblock per round trip is the
// limit; under loss, that limit divided by the expected rounds. The times are virtual.
func TestLimit(t *testing.T) {
	for _, tt := range []struct {
		loss float64
		rtts []int // milliseconds
		part float64
	}{
		{0, []int{1, 2, 5, 10, 20, 50, 100}, 0.9},
		{0.01, []int{10, 30, 100}, 0.8},
		{0.05, []int{10, 30, 100}, 0.8},
		{0.2, []int{10, 30, 100}, 0.8},
	} {
		for _, ms := range tt.rtts {
			if thorough > 1 && ms != tt.rtts[0] {
				continue
			}
			t.Run(fmt.Sprintf("loss=%g/rtt=%dms", tt.loss, ms), func(t *testing.T) {
				rtt := time.Duration(ms) * time.Millisecond
				limit := BlockSize / rtt.Seconds() / rounds(tt.loss)
				rate, _ := goodput(t, 500*BlockSize, rtt, tt.loss, 1)
				t.Logf("%.0f B/s, %.1f %% of the limit", rate, 100*rate/limit)
				if rate < tt.part*limit {
					t.Errorf("%.0f B/s, want %.0f: %.0f %% of %.0f", rate, tt.part*limit, 100*tt.part, limit)
				}
			})
		}
	}
}

// TestBonus: "a large 256 KB ASCII test file" (CPSC 441 assignment 2, "Bonus") over a
// bad network: the median of 200 transfers, in virtual time.
func TestBonus(t *testing.T) {
	var times []time.Duration
	for seed := range uint64(200 / thorough) {
		_, took := goodput(t, 256<<10, 10*time.Millisecond, 0.2, seed)
		times = append(times, took)
	}
	slices.Sort(times)
	median := times[len(times)/2]
	t.Logf("median %v, of %v to %v", median, times[0], times[len(times)-1])
	if median >= time.Second {
		t.Errorf("median %v, want less than a second", median)
	}
}
