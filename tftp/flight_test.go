package tftp

import (
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/amplify"
)

// TestTimerOfAFlight: the timer doubles while nothing is heard, once for blocks that were sent
// together. It does not double if something was heard, unless the answer came after a timeout
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

// TestRoomOfAFlight: no more blocks are under way than there is room for.
func TestRoomOfAFlight(t *testing.T) {
	now := time.Unix(1, 0)
	f := newFlight(numbering{}, true, 4, senderTimer(plain()))
	for b := range int64(4) {
		if f.Fresh() != b+1 {
			t.Errorf("%d blocks under way: the next is %d", b, f.Fresh())
		}
		f.sent(now, b+1, false)
	}
	f.acked(now, 2)
	if f.Fresh() != 0 {
		t.Errorf("the window is full, and the next is %d", f.Fresh())
	}
	f.acked(now, 1)
	f.sent(now, f.Fresh(), false)
	f.sent(now, f.Fresh(), true)
	if f.Sent() != 6 || f.Fresh() != 0 || f.First() != 3 || f.Unacked() != 4 {
		t.Errorf("%d sent, %d unacknowledged from %d on, the next is %d", f.Sent(), f.Unacked(), f.First(), f.Fresh())
	}
}

// TestFirstFlight: the packets and bytes to an address that has not answered are limited.
func TestFirstFlight(t *testing.T) {
	for packetLen, want := range map[int]int{516: 3, 1365: 3, 1366: 2, 2049: 1, 4097: 0} {
		now := time.Unix(1, 0)
		o := outbound{
			Flight: newFlight(numbering{}, true, 16, senderTimer(plain())),
			plan:   Burst{}.Begin(), packetLen: packetLen, budget: new(amplify.Budget),
		}
		grantAgain(o.budget, packetLen)
		n := 0
		for block, _, _ := o.next(now); block != 0; block, _, _ = o.next(now) {
			o.sent(now, block, false)
			n++
		}
		if n != want {
			t.Errorf("packets of %d bytes: %d, want %d", packetLen, n, want)
		}
		if n > 0 {
			o.acked(now, 1)
			if block, _, _ := o.next(now); block == 0 {
				t.Errorf("packets of %d bytes: nothing more after an answer", packetLen)
			}
		}
	}
}
