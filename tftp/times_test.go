package tftp

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// TestLossyTimes: timers follow the round trip, so that a lost packet costs little. The
// times are virtual.
func TestLossyTimes(t *testing.T) {
	mean := func(window, seeds int, options ...lossy.Option) time.Duration {
		var sum time.Duration
		for seed := range seeds {
			synctest.Test(t, func(t *testing.T) {
				p := newTestNet(t, append(options, lossy.Seed(uint64(seed+1)))...)
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
	w1, w16 := mean(1, 200/thorough, one...), mean(16, 200/thorough, one...)
	j4, j16 := mean(4, 20/thorough, jitter...), mean(16, 20/thorough, jitter...)
	t.Logf("1 %% loss: window 1 %v, window 16 %v; 10 ms jitter: window 4 %v, window 16 %v", w1, w16, j4, j16)
	if w1 > 200*ms || w16 > 50*ms {
		t.Errorf("1 %% loss: window 1 takes %v, window 16 %v", w1, w16)
	}
	if j16 >= j4 {
		t.Errorf("10 ms jitter: window 16 takes %v, window 4 %v", j16, j4)
	}
}

// TestLongRoundTrip: where the round trip is longer than the first timer, the timer
// learns it, though at first each block is sent twice and no ACK can tell which copy it
// is for.
func TestLongRoundTrip(t *testing.T) {
	const blocks = 400
	for _, tt := range []struct {
		delay time.Duration
		c     Client
		again int // the most blocks that may be sent again
	}{
		{150 * ms, Client{BlockSize: 512, WindowSize: -1}, 8},
		{150 * ms, Client{BlockSize: 512, WindowSize: 4}, 8 * 4},
		{150 * ms, Client{BlockSize: 512, WindowSize: 16}, 8 * 16},
		{400 * ms, Client{BlockSize: 512, WindowSize: -1}, 15},
		{400 * ms, Client{BlockSize: 512, WindowSize: 4}, 15 * 4},
		{150 * ms, Client{Wide: true}, blocks / 4},
		{150 * ms, Client{Wide: true, Strategy: StopAndWait{}}, 8},
		{150 * ms, Client{Wide: true, Strategy: SelectiveRepeat{}}, blocks / 4},
		{400 * ms, Client{Wide: true, Strategy: StopAndWait{}}, 15},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newTestNet(t, lossy.Delay(tt.delay))
			p.server.Wide = tt.c.Wide
			p.start()
			r, err := p.put(tt.c, "new", noise(1, blocks*512-1))
			if err != nil || int(r.Retransmitted) > tt.again {
				t.Errorf("%v each way, %+v: %d of %d sent again, want at most %d, %v", tt.delay, tt.c, r.Retransmitted, r.Sent, tt.again, err)
			}
			p.end()
		})
	}
}
