package tftp

import (
	"testing"
	"time"

	"github.com/ferrygo/ferry/internal/amplify"
)

// TestAdaptiveInSilence: the less comes back, the less is sent.
func TestAdaptiveInSilence(t *testing.T) {
	now := time.Unix(1, 0)
	f := newFlight(numbering{wide: true}, true, wideWindow, senderTimer(plain()))
	p := Adaptive{}.Begin()
	for round, want := range []int{unverifiedPackets, adaptiveSecond, 7, 3, 2, 2} {
		n := 0
		b, wake := p.Next(now, f)
		for ; b != 0; b, wake = p.Next(now, f) {
			f.sent(now, b, false)
			n++
		}
		if n != want || !wake.After(now) {
			t.Errorf("round %d: %d blocks, want %d; the next in %v", round+1, n, want, wake.Sub(now))
		}
		now = wake
	}
}

// TestInformedForgets: the tries of a block are not taken for those of a much later block.
func TestInformedForgets(t *testing.T) {
	now := time.Unix(1, 0)
	f := newFlight(numbering{wide: true}, true, wideWindow, senderTimer(plain()))
	p := Informed{}.Begin().(*informedPlan)
	for f.Sent() < wideWindow+5 {
		b, wake := p.Next(now, f)
		if b == 0 {
			now = wake
			continue
		}
		f.sent(now, b, false)
		f.acked(now, uint32(b))
		if n := len(*p.of(b)); n != 1 {
			t.Fatalf("block %d is sent for the first time and has %d tries", b, n)
		}
	}
}

// proved is the budget of an address that has answered.
func proved() *amplify.Budget {
	b := new(amplify.Budget)
	b.Prove()
	return b
}
