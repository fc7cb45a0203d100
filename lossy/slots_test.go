package lossy

import (
	"math"
	"testing"
	"time"
)

func TestSlots(t *testing.T) {
	const ms = time.Millisecond
	leaves := func(n int, interval time.Duration, models ...Model) (at []time.Duration) {
		for i, f := range judgeN(n, interval, 1, models...) {
			at = append(at, time.Duration(i)*interval+f.delay)
		}
		return at
	}
	// A packet each ms, a slot each 10: bursts of ten.
	for i, at := range leaves(1000, ms, Slots(10*ms, 10*ms, 0, 0)) {
		if want := time.Duration(i/11*11+10) * ms; at != want {
			t.Fatalf("packet %d leaves at %v, want %v", i, at, want)
		}
	}
	// Of a burst, three leave in each slot.
	for i, at := range leaves(30, 0, Slots(10*ms, 10*ms, 3, 0)) {
		if want := time.Duration(i/3+1) * 10 * ms; at != want {
			t.Fatalf("with three to a slot, packet %d leaves at %v, want %v", i, at, want)
		}
	}
	// 2500 bytes are two packets of 1000; a single one always fits.
	for i, at := range leaves(30, 0, Slots(10*ms, 10*ms, 0, 2500)) {
		if want := time.Duration(i/2+1) * 10 * ms; at != want {
			t.Fatalf("with two to a slot, packet %d leaves at %v, want %v", i, at, want)
		}
	}
	for i, at := range leaves(30, 0, Slots(10*ms, 10*ms, 0, 1)) {
		if want := time.Duration(i+1) * 10 * ms; at != want {
			t.Fatalf("with one to a slot, packet %d leaves at %v, want %v", i, at, want)
		}
	}
	// The times between slots are uniform.
	const n = 100000 / raceFactor
	uniform := func(d time.Duration) float64 { return min(1, max(0, float64(d-5*ms)/float64(10*ms))) }
	plausible(t, "interval", func(scale float64) error {
		at := leaves(n, 0, Slots(5*ms, 5*ms+scaled(10*ms, scale), 1, 0))
		between := make([]time.Duration, n)
		for i := range between {
			between[i] = at[i]
			if i > 0 {
				between[i] -= at[i-1]
			}
		}
		return checkDistribution(between, uniform)
	})
	if f := judgeN(3, 0, 1, Slots(math.MaxInt64, math.MaxInt64, 1, 1)); f[2].delay <= 0 {
		t.Errorf("slots that never come delay by %v", f[2].delay)
	}
}
