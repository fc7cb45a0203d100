package octoput

import (
	"flag"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

var randomSeed = flag.Uint64("octoput.seed", 0, "run only this one of the random transfers")

// TestRandomTransfers: whatever the network does, the receiver gets every byte, and the
// sender learns of it.
func TestRandomTransfers(t *testing.T) {
	const runs = 1000 / thorough
	if *randomSeed != 0 {
		randomTransfer(t, *randomSeed)
		return
	}
	for seed := uint64(1); seed <= runs && !t.Failed(); seed++ {
		randomTransfer(t, seed)
	}
}

func randomTransfer(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	size := []int{0, 1, 7, 8, 9, 736, 739, 8887, 8888, 8889, r.IntN(10 * BlockSize)}[r.IntN(11)]
	if seed%250 == 0 {
		size = 2_300_000 // block numbers of more than a byte
	}
	loss := 0.4 * r.Float64()
	delay := time.Duration(r.IntN(100)) * time.Millisecond
	data := noise(seed, size)
	if r.IntN(4) == 0 {
		for i := size / 2; i < size; i++ {
			data[i] = " \n\x00"[r.IntN(3)]
		}
	}

	done := false // not set when a bubble panics: all of it is blocked
	defer func() {
		if t.Failed() || !done {
			t.Errorf("%d bytes, loss %.2f, delay %v; to repeat: go test -run TestRandomTransfers -octoput.seed=%d", size, loss, delay, seed)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t,
			lossy.Seed(seed),
			lossy.Loss(loss),
			lossy.Duplicate(0.1*r.Float64()),
			// A round trip of up to 200 ms, and a later packet often overtakes an
			// earlier one.
			lossy.Jitter(delay/2, delay),
		)
		p.receive(Receiver{Linger: 10 * time.Minute, GiveUp: time.Hour})
		_, err := p.send(Sender{JoinTimeout: 10 * time.Minute, GiveUp: 10 * time.Minute}, data)
		if err != nil {
			t.Errorf("Send: %v", err)
		}
		p.stop()
		p.check(data)
	})
	done = true
}
