package directory

import (
	"testing"
	"time"
)

// TestTimerByHand follows the equations of CEN 502 project 2 (part II, 1.2.1) in their
// order, with numbers worked by hand: the deviation is from the new estimate.
func TestTimerByHand(t *testing.T) {
	const ms = time.Millisecond
	var tm timer
	if got := tm.timeout(); got != 100*ms {
		t.Errorf("before the first sample: %v", got)
	}
	for i, tt := range []struct{ sample, est, dev, timeout time.Duration }{
		{80 * ms, 80 * ms, 40 * ms, 240 * ms},
		// Est = 7/8·80 + 160/8 = 90; Dev = 3/4·40 + |160-90|/4 = 47.5
		{160 * ms, 90 * ms, 47500 * time.Microsecond, 280 * ms},
		// Est = 7/8·90 + 10/8 = 80; Dev = 3/4·47.5 + |10-80|/4 = 53.125
		{10 * ms, 80 * ms, 53125 * time.Microsecond, 292500 * time.Microsecond},
		// Est = 80; Dev = 3/4·53.125 = 39.84375
		{80 * ms, 80 * ms, 39843750, 239375 * time.Microsecond},
	} {
		tm.sample(tt.sample)
		if tm.est != tt.est || tm.dev != tt.dev || tm.timeout() != tt.timeout {
			t.Errorf("sample %d: %v, %v, %v; want %v, %v, %v", i, tm.est, tm.dev, tm.timeout(), tt.est, tt.dev, tt.timeout)
		}
	}
}

func TestTimerBackoff(t *testing.T) {
	var tm timer
	for _, want := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		if got := tm.timeout(); got != want*time.Millisecond {
			t.Errorf("%v, want %d ms", got, want)
		}
		tm.timedOut()
	}
	tm.heard()
	if got := tm.timeout(); got != 100*time.Millisecond {
		t.Errorf("after something was heard: %v", got)
	}
	// Every answer comes only after a timeout: the round trip must be longer than the
	// timer.
	for range 2*lateRun - 1 {
		tm.timedOut()
		tm.heard()
	}
	if got := tm.timeout(); got != 400*time.Millisecond {
		t.Errorf("after a dozen late answers: %v", got)
	}
	tm.sample(time.Microsecond)
	if got := tm.timeout(); got != minTimeout {
		t.Errorf("after a short round trip: %v", got)
	}
	tm.sample(time.Hour)
	if got := tm.timeout(); got != maxTimeout {
		t.Errorf("after a long one: %v", got)
	}
	for range 1000 {
		tm.timedOut()
	}
	if got := tm.timeout(); got != maxTimeout {
		t.Errorf("after many timeouts: %v", got)
	}
}
