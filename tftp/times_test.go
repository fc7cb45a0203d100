package tftp

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// TestLossyTimes: timers follow the round trip, so that a lost packet costs little. The times are virtual.
func TestLossyTimes(t *testing.T) {
	mean := func(window, seeds int, options ...lossy.Option) time.Duration {
		var sum time.Duration
		for seed := range seeds {
			synctest.Test(t, func(t *testing.T) {
				p := newStage(t, append(options, lossy.Seed(uint64(seed+1)))...)
				p.files.files["file"] = noise(1, 256<<10)
				p.start()
				got, r, err := p.get(Client{BlockSize: 1468, WindowSize: window}, "file")
				if err != nil || len(got) != 256<<10 {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				sum += r.Elapsed
				p.end()
			})
		}
		return sum / time.Duration(seeds)
	}
	one := []lossy.Option{lossy.Loss(0.01), lossy.Delay(ms / 10)}
	jitter := []lossy.Option{lossy.Jitter(0, 10*ms)}
	w1, w16 := mean(1, 200, one...), mean(16, 200, one...)
	j4, j16 := mean(4, 20, jitter...), mean(16, 20, jitter...)
	t.Logf("1 %% loss: window 1 %v, window 16 %v; 10 ms jitter: window 4 %v, window 16 %v", w1, w16, j4, j16)
	if w1 > 200*ms || w16 > 50*ms {
		t.Errorf("1 %% loss: window 1 takes %v, window 16 %v", w1, w16)
	}
	if j16 >= j4 {
		t.Errorf("10 ms jitter: window 16 takes %v, window 4 %v", j16, j4)
	}
}
