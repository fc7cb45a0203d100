package p2mp

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A receiver set aside costs POLLs alone.
func TestAside(t *testing.T) {
	var f flight
	now := time.Unix(0, 0)
	f.begin(now, 0, 50, 50, time.Millisecond)
	sent := 0
	for range 1000 {
		switch a, seq, wake := f.act(now, 1000, true); a {
		case newChunk, oldChunk:
			if f.silent >= asideAfter {
				t.Fatal("a chunk for one that is set aside")
			}
			sent++
			f.sent(now, seq)
		case askPoll:
			f.asked(now)
		default:
			now = wake
		}
	}
	if sent == 0 || sent > 50 {
		t.Errorf("%d chunks", sent)
	}
}

// Whatever a receiver says that can be true, the counters stay right, and only chunks of
// the window are sent.
func TestFlightCounts(t *testing.T) {
	for seed := range uint64(3000 / thorough) {
		r := rand.New(rand.NewPCG(seed, 9))
		now := time.Unix(1000, 0)
		var f flight
		total := uint32(1 + r.IntN(200))
		f.begin(now, uint32(r.IntN(3))%total, 1+r.IntN(60), 1+r.IntN(100), time.Duration(r.IntN(2))*time.Millisecond)
		for range 400 {
			a, seq, wake := f.act(now, total, true)
			switch a {
			case newChunk, oldChunk:
				if seq <= f.cum || seq > total || (a == newChunk) != (seq == f.next) {
					t.Fatal(seed, "sends", seq, "cum", f.cum, "next", f.next)
				}
				f.sent(now, seq)
			case askPoll:
				f.asked(now)
			default:
				if wake.IsZero() {
					t.Fatal(seed, "no wake")
				}
				if r.IntN(2) == 0 {
					now = wake
				}
			}
			if r.IntN(6) == 0 {
				s := status{number: uint32(r.IntN(int(f.lastPoll) + 1)), cum: uint32(r.IntN(int(f.next))), progress: progress(r.IntN(2))}
				s.held = make([]byte, r.IntN(8))
				for i := range s.held {
					s.held[i] = byte(r.Uint32() & r.Uint32())
				}
				if f.plausible(&s) {
					now = now.Add(time.Duration(r.IntN(1000)) * time.Microsecond)
					f.answer(now, &s)
				}
			}
			flyingN, missingN := 0, 0
			for seq := f.cum + 1; seq < f.next; seq++ {
				switch f.slot(seq).state {
				case flying:
					flyingN++
				case missing:
					missingN++
				}
			}
			if flyingN != f.underWay || missingN != f.missing {
				t.Fatal(seed, "flying", flyingN, f.underWay, "missing", missingN, f.missing)
			}
		}
	}
}
