package tftp

import (
	"testing"
	"time"
)

// TestTimerOfAFlight: the timer is doubled while nothing is heard, once for what was
// sent together; not where something was heard, unless the answer came after a timeout
// six times in a row.
func TestTimerOfAFlight(t *testing.T) {
	now := time.Unix(1, 0)
	f := newFlight(numbering{}, false, 4, senderTimer(plain()))
	resend := func(want time.Duration) {
		t.Helper()
		now = now.Add(f.RTO())
		for b := f.First(); b <= f.Sent(); b++ {
			f.sent(now, b, false)
		}
		if f.RTO() != want {
			t.Errorf("the timer is %v, want %v", f.RTO(), want)
		}
	}
	f.sent(now, 1, false)
	f.sent(now, 2, false)
	resend(2 * initialTimeout)
	resend(4 * initialTimeout)
	for n := range 5 {
		now = now.Add(ms)
		f.acked(now, 0) // the other side is alive; the first of these comes after a timeout
		if n == 0 {
			f.sent(now, 1, false) // before the timer has run out
		}
		want := initialTimeout
		if n == 4 {
			want *= 2
		}
		resend(want)
	}
}
