package p2mp

import (
	"bytes"
	"context"
	"flag"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

var randomSeed = flag.Uint64("p2mp.seed", 0, "run only this one of the random transfers")

// TestRandomTransfers: whatever the network does, all receivers get every byte, and the
// sender learns of it: in the classic mode, in the extended one, with receivers of both,
// and through a group.
func TestRandomTransfers(t *testing.T) {
	for name, classic := range map[string]func(i int) bool{
		"classic":  func(int) bool { return true },
		"extended": func(int) bool { return false },
		"mixed":    func(i int) bool { return i%2 == 1 },
		"group":    func(i int) bool { return i%5 == 4 },
	} {
		t.Run(name, func(t *testing.T) {
			grouped := name == "group"
			runs := uint64(1000 / thorough())
			if *randomSeed != 0 {
				randomTransfer(t, *randomSeed, classic, grouped)
				return
			}
			for seed := uint64(1); seed <= runs && !t.Failed(); seed++ {
				randomTransfer(t, seed, classic, grouped)
			}
		})
	}
}

func randomTransfer(t *testing.T, seed uint64, classic func(i int) bool, grouped bool) {
	r := rand.New(rand.NewPCG(seed, 0))
	mss := []int{1, 7, 100, 500, 1400}[r.IntN(5)]
	size := []int{0, 1, mss - 1, mss, mss + 1, 10 * mss}[r.IntN(6)]
	if seed%200 == 0 {
		mss, size = 1400, 1<<20+7
	}
	receivers := 1 + r.IntN(16)
	loss := 0.4 * r.Float64()
	duplicates := 0.1 * r.Float64()
	delay := time.Duration(r.IntN(100)) * time.Millisecond
	window := []int{0, 1, 3, 50}[r.IntN(4)]
	data := noise(seed, size)
	source := ferry.Source{R: bytes.NewReader(data), Size: int64(size)}
	switch r.IntN(3) {
	case 1:
		source.R = bytes.NewBuffer(bytes.Clone(data)) // to be read once
	case 2:
		source.R, source.Size = bytes.NewBuffer(bytes.Clone(data)), -1
	}

	done := false // not set when a bubble panics: all of it is blocked
	defer func() {
		if t.Failed() || !done {
			t.Errorf("%d receivers, %d bytes, MSS %d, window %d, loss %.2f, delay %v; to repeat: go test -run %s -p2mp.seed=%d",
				receivers, size, mss, window, loss, delay, t.Name(), seed)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, receivers,
			lossy.Seed(seed),
			lossy.Loss(loss),
			lossy.Duplicate(duplicates),
			// A round trip of up to 200 ms, and a later packet often overtakes an
			// earlier one.
			lossy.Jitter(delay/2, delay),
		)
		var group netip.AddrPort
		if grouped {
			group = testGroup
			p.joinGroup(p.receivers[r.IntN(2):]...) // not always all
		}
		for i, m := range p.receivers {
			if classic(i) {
				m.forgetExtended()
			}
		}
		p.receive(Receiver{Linger: 10 * time.Minute, GiveUp: time.Hour, Window: window})
		s := Sender{MSS: mss, Window: window, JoinTimeout: 10 * time.Minute, GiveUp: 10 * time.Minute, Classic: classic(0) && classic(2), Group: group}
		report, err := s.Send(context.Background(), p.sender, p.to, source)
		p.stop()
		if err != nil {
			t.Errorf("Send: %v", err)
		}
		p.check(data)
		for i, peer := range report.Peers {
			// Ten HELLOs may all be lost; the classic mode helps then.
			if peer.Extended && classic(i) || !peer.Extended && !classic(i) && loss < 0.1 {
				t.Errorf("receiver %d was served as one of the wrong mode", i)
			}
			if peer.Bytes != int64(size) || peer.State != Complete {
				t.Errorf("receiver %d: %v with %d of %d bytes, as the sender believes", i, peer.State, peer.Bytes, size)
			}
		}
	})
	done = true
}

// TestRandomWindows: whatever windows sender and receivers have.
func TestRandomWindows(t *testing.T) {
	for seed := uint64(1); seed <= uint64(400/thorough()) && !t.Failed(); seed++ {
		r := rand.New(rand.NewPCG(seed, 77))
		mss := []int{1, 7, 100, 1400}[r.IntN(4)]
		size := r.IntN(200 * mss)
		data := noise(seed, size)
		src := ferry.Source{R: bytes.NewReader(data), Size: int64(size)}
		switch r.IntN(3) {
		case 1:
			src.R = bytes.NewBuffer(bytes.Clone(data))
		case 2:
			src.R, src.Size = bytes.NewBuffer(bytes.Clone(data)), -1
		}
		n := 1 + r.IntN(4)
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, n, lossy.Seed(seed), lossy.Loss(0.3*r.Float64()), lossy.Duplicate(0.1), lossy.Jitter(time.Millisecond, time.Duration(1+r.IntN(50))*time.Millisecond))
			for i, m := range p.receivers {
				if i%3 == 2 {
					m.forgetExtended()
				}
				rc := Receiver{Window: 1 + r.IntN(40), Linger: time.Minute, GiveUp: time.Hour}
				m.start(func(ctx context.Context) error {
					var err error
					m.report, err = rc.Receive(ctx, m.conn, &m.got)
					return err
				})
			}
			_, err, hung := p.sendFor(t, time.Hour, p.sender, Sender{MSS: mss, Window: 1 + r.IntN(40), JoinTimeout: time.Minute, GiveUp: 10 * time.Minute}, src)
			p.stop()
			if err != nil {
				t.Errorf("seed %d: hung %v %v", seed, hung, err)
			}
			p.check(data)
		})
	}
}
