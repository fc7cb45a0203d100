package tftp

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

var randomSeed = flag.Uint64("tftp.seed", 0, "run only this one of the random transfers")

// TestRandomTransfers: whatever the network does, every byte arrives, in either
// direction.
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
	c := Client{
		BlockSize:  []int{-1, 0, 8, 9, 100, 512, 1468}[r.IntN(7)],
		WindowSize: []int{-1, 0, 2, 4, 16, 64}[r.IntN(6)],
		Mode:       Mode(r.IntN(4) / 3),
		RollToOne:  r.IntN(2) == 0,
		Wide:       r.IntN(3) == 0,
		GiveUp:     10 * time.Minute,
		Linger:     10 * time.Minute,
	}
	if c.Wide {
		c.Strategy = []Strategy{
			nil,
			StopAndWait{},
			StopAndWait{Timeout: 150 * time.Millisecond},
			GoBackN{},
			SelectiveRepeat{},
			Paced{},
			AIMD{},
			Burst{},
			Informed{},
		}[r.IntN(9)]
	}
	block := c.BlockSize
	switch {
	case block < 0 || block == 0 && c.Wide:
		block = 512
	case block == 0:
		block = DefaultBlockSize
	}
	size := []int{0, 1, block - 1, block, block + 1, 10 * block, 45*block - 3}[r.IntN(7)]
	loss := 0.4 * r.Float64()
	delay := time.Duration(r.IntN(100)) * time.Millisecond
	data := noise(seed, size)
	write, single := r.IntN(2) == 0, r.IntN(3) == 0

	// Deferred, for a bubble that fails ends the test.
	defer func() {
		if t.Failed() {
			t.Logf("write %v, single port %v, %d bytes, %+v, loss %.2f, delay %v; to repeat: go test -run TestRandomTransfers -tftp.seed=%d",
				write, single, size, c, loss, delay, seed)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		p := newTestNet(t,
			lossy.Seed(seed),
			lossy.Loss(loss),
			lossy.Duplicate(0.1*r.Float64()),
			lossy.Jitter(delay/2, delay),
		)
		p.server.GiveUp, p.server.Linger = 10*time.Minute, 10*time.Minute
		p.server.Wide, p.server.RollToOne, p.server.SinglePort, p.server.Strategy = c.Wide, c.RollToOne, single, c.Strategy
		p.files.files["file"] = data
		p.start()
		var got []byte
		var report Report
		var err error
		if write {
			if report, err = p.put(c, "new", data); err == nil {
				got, _ = p.files.get("new")
			}
		} else {
			got, report, err = p.get(c, "file")
		}
		if err != nil {
			t.Error(err)
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes arrived, not the %d that were sent", len(got), len(data))
		}
		if c.Mode == Octet && (report.Bytes != int64(size) || report.Blocks != int64(size/report.BlockSize+1)) {
			t.Errorf("reported are %d bytes in %d blocks", report.Bytes, report.Blocks)
		}
		p.end()
	})
}
