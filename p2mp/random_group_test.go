package p2mp

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// TestRandomGroups: random members, joins and windows. One member may fail; all others
// receive every byte.
func TestRandomGroups(t *testing.T) {
	for seed := uint64(1); seed <= uint64(300/thorough()) && !t.Failed(); seed++ {
		if *randomSeed != 0 {
			seed = *randomSeed
		}
		if randomGroup(t, seed); *randomSeed != 0 {
			return
		}
	}
}

// What becomes of one receiver.
const (
	nothingAtAll = iota
	killed       // its conn is closed
	restarted    // it begins anew, on the same conn
	leaves       // it ends, and says so
	deafened     // no chunks arrive
	fates
)

func randomGroup(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 99))
	mss := []int{1, 7, 100, 1400}[r.IntN(4)]
	size := []int{r.IntN(2 * mss), r.IntN(20 * mss), r.IntN(400 * mss)}[r.IntN(3)]
	data := noise(seed, size)
	src := ferry.Source{R: bytes.NewReader(data), Size: int64(size)}
	switch r.IntN(4) {
	case 1:
		src.R = bytes.NewBuffer(bytes.Clone(data)) // to be read once
	case 2:
		src.R, src.Size = bytes.NewBuffer(bytes.Clone(data)), -1
	}
	n, loss, fate := 2+r.IntN(7), 0.3*r.Float64(), r.IntN(fates)
	listless := r.IntN(3) == 0
	s := Sender{
		MSS: mss, Window: r.IntN(40), Group: testGroup, JoinTimeout: 5 * time.Second, GiveUp: 20 * time.Second,
		MinRate: []float64{0, 1e9}[r.IntN(2)],
	}
	if s.MinRate > 0 {
		s.Policy, fate = Wait, nothingAtAll
	}
	options := []lossy.Option{lossy.Seed(seed), lossy.Loss(loss), lossy.Duplicate(0.05), lossy.Jitter(time.Millisecond, time.Duration(1+r.IntN(50))*time.Millisecond)}
	if r.IntN(2) == 0 {
		options = append(options, lossy.Rate(float64(8*(mss+100))*(100+1000*r.Float64()), 20))
	}
	after := time.Duration(r.Float64() * r.Float64() * float64(4*time.Second))

	done := false
	defer func() {
		if t.Failed() || !done {
			t.Errorf("%d receivers, %d bytes, MSS %d, window %d, loss %.2f, listless %v, fate %d after %v; to repeat: go test -run %s -p2mp.seed=%d",
				n, size, mss, s.Window, loss, listless, fate, after, t.Name(), seed)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, n, options...)
		p.joinGroup(p.receivers[r.IntN(2):]...)
		victim := p.receivers[n-1]
		if fate == deafened {
			victim.missesChunks()
		}
		for _, m := range p.receivers {
			rc := Receiver{Window: r.IntN(40), Linger: time.Minute, GiveUp: time.Hour}
			run := func(ctx context.Context) error {
				var err error
				m.report, err = rc.Receive(ctx, m.conn, &m.got)
				return err
			}
			m.start(run)
			if m != victim {
				continue
			}
			time.AfterFunc(after, func() {
				switch fate {
				case killed:
					m.conn.Close()
				case leaves:
					m.cancel()
				case restarted:
					m.cancel()
					<-m.done
					m.start(run)
				}
			})
		}
		everybody := p.to
		if listless {
			p.to = nil
		}
		report, err, hung := p.sendFor(t, time.Hour, p.sender, s, src)
		p.stop()
		if hung {
			t.Fatalf("Send hangs: %+v", report)
		}
		var incomplete *IncompleteError
		if err != nil && !errors.As(err, &incomplete) {
			t.Fatal(err)
		}
		if incomplete != nil {
			for _, e := range incomplete.Peers {
				if fate == nothingAtAll || e.Addr != everybody[n-1] {
					t.Errorf("given up: %v", e)
				}
			}
		}
		for _, peer := range report.Peers {
			for i, m := range p.receivers {
				if everybody[i] == peer.Addr && (peer.State == Complete || m != victim) && !bytes.Equal(m.got.Bytes(), data) && !(fate == restarted && m == victim) {
					t.Errorf("receiver %d has %d of %d bytes, and is %v", i, m.got.Len(), size, peer.State)
				}
			}
		}
	})
	done = true
}
