package lossy

import (
	"bytes"
	"fmt"
	"math"
	"math/bits"
	"testing"
)

// flipped judges n packets of zeros and calls see with the bits that are set in
// each.
func flipped(n, size int, see func(count int, payload []byte), models ...Model) {
	c := testChain(1, models...)
	f := c.flows.get(testFlow(1))
	payload := make([]byte, size)
	var s Stats
	for i := range n {
		fate := c.judge(f, i+1, payload, 0, &s)[0]
		count := 0
		for _, b := range fate.bytes(payload) {
			count += bits.OnesCount8(b)
		}
		see(count, fate.bytes(payload))
	}
	if !bytes.Equal(payload, make([]byte, size)) {
		panic("the caller's payload was changed")
	}
}

// TestCorrupt checks how often, that it is one bit, and that each bit has the
// same chance.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	const n, size = 1 << 19 / raceFactor, 4
	plausible(t, "p", func(scale float64) error {
		hits := 0
		flipped(n, size, func(count int, _ []byte) { hits += count }, Corrupt(0.1*scale))
		return checkShare(hits, n, 0.1)
	})
	var where [8 * size]int
	flipped(n, size, func(count int, b []byte) {
		if count != 1 {
			t.Fatalf("%d bits are flipped, want 1", count)
		}
		for i := range where {
			where[i] += int(b[i/8]>>(7-i%8)) & 1
		}
	}, Corrupt(1))
	for i, hits := range where {
		if err := checkShare(hits, n, 1.0/(8*size)); err != nil {
			t.Errorf("bit %d: %v", i, err)
		}
	}
	for _, m := range []Model{Corrupt(1), BitErrors(1)} {
		flipped(1, 0, func(count int, b []byte) {
			if len(b) != 0 {
				t.Error("an empty payload has grown")
			}
		}, m)
	}
}

// TestBitErrors checks the number of flipped bits of a packet, which is
// binomial: its mean and its variance.
func TestBitErrors(t *testing.T) {
	const n, size = 1 << 14 / raceFactor, 100
	for _, p := range []float64{0.002, 0.02} {
		mean, variance := 8*size*p, 8*size*p*(1-p)
		plausible(t, fmt.Sprint("bit error rate ", p), func(scale float64) error {
			var sum, squares float64
			flipped(n, size, func(count int, _ []byte) {
				sum += float64(count)
				squares += (float64(count) - mean) * (float64(count) - mean)
			}, BitErrors(p*scale))
			if limit := 5 * math.Sqrt(variance/n); math.Abs(sum/n-mean) > limit {
				return fmt.Errorf("%v bits of a packet are flipped, want %v ± %v", sum/n, mean, limit)
			}
			if limit := 5 * math.Sqrt((2*variance*variance+variance)/n); math.Abs(squares/n-variance) > limit {
				return fmt.Errorf("the variance is %v, want %v ± %v", squares/n, variance, limit)
			}
			return nil
		})
	}
	flipped(10, size, func(count int, _ []byte) {
		if count != 8*size {
			t.Errorf("with a rate of 1, %d of %d bits are flipped", count, 8*size)
		}
	}, BitErrors(1))
	flipped(10, size, func(count int, _ []byte) {
		if count != 0 {
			t.Errorf("with a rate of 0, %d bits are flipped", count)
		}
	}, BitErrors(0))
}

// TestCorruptCopies: a packet that is corrupted and then duplicated arrives twice
// with the same bits, and the copies of one that is duplicated first are corrupted separately.
func TestCorruptCopies(t *testing.T) {
	payload := make([]byte, 1000)
	payloads := func(models ...Model) (all [][]byte) {
		c := testChain(1, models...)
		var s Stats
		for _, f := range c.judge(c.flows.get(testFlow(1)), 1, payload, 0, &s) {
			all = append(all, bytes.Clone(f.bytes(payload)))
		}
		if s.Corrupted == 0 {
			t.Errorf("statistics are %+v", s)
		}
		return all
	}
	if p := payloads(Corrupt(1), Duplicate(1)); len(p) != 2 || !bytes.Equal(p[0], p[1]) || bytes.Equal(p[0], payload) {
		t.Error("a corrupted packet and its copy differ")
	}
	if p := payloads(Duplicate(1), Corrupt(1)); len(p) != 2 || bytes.Equal(p[0], p[1]) {
		t.Error("a packet and its copy are corrupted alike")
	}
	p := payloads(Corrupt(1), Duplicate(1), Corrupt(1))
	if len(p) != 2 || bytes.Equal(p[0], p[1]) {
		t.Error("corrupted again, a packet and its copy are alike")
	}
	for _, b := range p {
		count := 0
		for _, x := range b {
			count += bits.OnesCount8(x)
		}
		if count != 2 {
			t.Errorf("corrupted twice, %d bits are flipped", count)
		}
	}
	// The next model sees the changed payload.
	seen := 0
	payloads(Corrupt(1), DropIf(func(p Packet) bool {
		if !bytes.Equal(p.Payload, payload) {
			seen++
		}
		return false
	}))
	if seen != 1 {
		t.Error("a predicate does not see what was corrupted before")
	}
}
