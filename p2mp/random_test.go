package p2mp

import (
	"flag"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

var randomSeed = flag.Uint64("p2mp.seed", 0, "run only this one of the random transfers")

// TestRandomTransfers: whatever the network does, all receivers get every byte, and the sender learns of it.
func TestRandomTransfers(t *testing.T) {
	const runs = 1000
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
	mss := []int{1, 7, 100, 500, 1400}[r.IntN(5)]
	size := []int{0, 1, mss - 1, mss, mss + 1, 10 * mss}[r.IntN(6)]
	if seed%200 == 0 {
		mss, size = 1400, 1<<20+7
	}
	receivers := 1 + r.IntN(16)
	loss := 0.4 * r.Float64()
	delay := time.Duration(r.IntN(100)) * time.Millisecond
	data := noise(seed, size)

	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, receivers,
			lossy.Seed(seed),
			lossy.Loss(loss),
			lossy.Duplicate(0.1*r.Float64()),
			// A round trip of up to 200 ms, and a later packet often overtakes an earlier one.
			lossy.Jitter(delay/2, delay),
		)
		p.receive(Receiver{Linger: 10 * time.Minute, GiveUp: time.Hour})
		_, err := p.send(Sender{MSS: mss, JoinTimeout: 10 * time.Minute, GiveUp: 10 * time.Minute}, data)
		if err != nil {
			t.Errorf("Send: %v", err)
		}
		p.check(data)
	})
	if t.Failed() {
		t.Errorf("%d receivers, %d bytes, MSS %d, loss %.2f, delay %v; to repeat: go test -run TestRandomTransfers -p2mp.seed=%d",
			receivers, size, mss, loss, delay, seed)
	}
}
