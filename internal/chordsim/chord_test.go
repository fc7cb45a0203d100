package chordsim_test

import (
	"math"
	"testing"
	"time"

	"github.com/ferrygo/ferry/directory/chord"
	"github.com/ferrygo/ferry/internal/chordsim"
)

func settings() chord.Settings {
	return chord.Settings{Successors: 8, Period: 30 * time.Second, Tries: 1}
}

// TestPathLength: 1/2 log2 N - 0.14 nodes are asked, by fingers and the first successor alone.
func TestPathLength(t *testing.T) {
	for _, bits := range []int{10, 12} {
		l := chordsim.PathLength(1, 1<<bits, size(40000))
		mean, want := chordsim.Mean(l.Hops), chordsim.WantPath(1<<bits)
		t.Logf("2^%d nodes: %.3f, want %.3f", bits, mean, want)
		if l.Failed > 0 || math.Abs(mean/want-1) > 0.03 {
			t.Errorf("2^%d nodes: %d look-ups failed, %.3f hops, want %.3f", bits, l.Failed, mean, want)
		}
	}
}

// TestGrow begins with one node.
func TestGrow(t *testing.T) {
	s := settings()
	s.Period, s.Tries = 5*time.Second, 4
	w := chordsim.New(2, s)
	w.Delay = func(from, to chord.Peer) time.Duration { return 20 * time.Millisecond }
	w.Lost = func(from, to chord.Peer) bool { return w.Rand.Float64() < 0.05 }
	first := w.Create(w.RandomID())
	for range 99 {
		w.Join(w.RandomID(), first)
		w.Run(w.Now + 300*time.Millisecond)
	}
	w.Run(w.Now + 10*time.Minute)
	ring := w.Alive()
	if len(ring) != 100 {
		t.Fatalf("%d members", len(ring))
	}
	wrong := 0
	for i, p := range ring {
		if w.Node(p).Successors()[0] != ring[(i+1)%100] || w.Node(p).Predecessor() != ring[(i+99)%100] {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%d of 100 nodes have a wrong neighbour", wrong)
	}
}

// TestInvariant checks Zave's invariant after every event of runs in which nodes join, fail
// and are slow, in every order that the seeds give.
func TestInvariant(t *testing.T) {
	for seed := range uint64(size(100)) {
		s := settings()
		s.Successors, s.Period, s.Tries = 2+int(seed%3), 10*time.Second, 1
		s.Timer.Min = time.Second // a slow node is not taken to have failed
		w := chordsim.New(seed, s)
		w.Delay = func(from, to chord.Peer) time.Duration {
			return time.Duration(w.Rand.Int64N(int64(100 * time.Millisecond)))
		}
		w.Stable(s.Successors + 1)
		var err error
		events := 0
		w.After = func(p chord.Peer) {
			if events++; err == nil {
				err = w.Invariant()
			}
		}
		for range 120 {
			switch ring := w.Alive(); w.Rand.IntN(5) {
			case 0, 1:
				if len(ring) < 20 {
					w.Join(w.RandomID(), ring[w.Rand.IntN(len(ring))])
				}
			case 2:
				if p := ring[w.Rand.IntN(len(ring))]; w.MayFail(p) {
					w.Fail(p)
				}
			}
			w.Run(w.Now + time.Duration(w.Rand.Int64N(int64(12*time.Second))))
			if err != nil {
				t.Fatalf("seed %d, after %v and %d events: %v", seed, w.Now, events, err)
			}
		}
		// Left alone, the ring becomes right.
		w.After = nil
		w.Run(w.Now + 10*time.Minute)
		ring := w.Alive()
		for i, p := range ring {
			if next := ring[(i+1)%len(ring)]; w.Node(p).Successors()[0] != next {
				t.Fatalf("seed %d: the successor of %d is %d, not %d", seed, p, w.Node(p).Successors()[0], next)
			}
		}
	}
}
