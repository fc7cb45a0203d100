package lossy

import (
	"strings"
	"testing"
	"time"
)

func TestRing(t *testing.T) {
	var r ring[int]
	next, want := 0, 0
	for step := range 1000 {
		for range step % 7 {
			r.push(next)
			next++
		}
		for range step % 5 {
			if r.count == 0 {
				break
			}
			if first, got := r.first(), r.pop(); got != want || first != want {
				t.Fatalf("step %d: first %d, popped %d, want %d", step, first, got, want)
			}
			want++
		}
		if step%3 == 0 && r.count > 0 {
			next--
			if got := r.unpush(); got != next {
				t.Fatalf("step %d: unpushed %d, want %d", step, got, next)
			}
		}
		if r.count != next-want {
			t.Fatalf("step %d: count is %d, want %d", step, r.count, next-want)
		}
	}
}

// TestPool checks that parcels come back clean, and that the pool keeps no
// more than its bound.
func TestPool(t *testing.T) {
	var p pool
	c := p.get([]byte("a long one"))
	c.n, c.copy, c.turn, c.at, c.refused = 1, 2, 3, 4, true
	p.put(c)
	if got := p.get([]byte("short")); got != c {
		t.Error("a parcel is not used again")
	}
	if string(c.payload) != "short" || c.n != 0 || c.copy != 0 || c.turn != 0 || c.at != 0 || c.refused || c.parcel != c {
		t.Errorf("a used parcel is %+v", c)
	}
	var parcels []*parcel
	for range 2 * maxPooled / (1 << 16) {
		parcels = append(parcels, p.get(make([]byte, 1<<16)))
	}
	for _, c := range parcels {
		p.put(c)
	}
	if p.bytes > maxPooled || p.bytes < maxPooled/2 {
		t.Errorf("the pool keeps %d bytes, want nearly %d", p.bytes, maxPooled)
	}
	kept := len(p.free)
	for range kept {
		p.get(nil)
	}
	if p.bytes != 0 || len(p.free) != 0 {
		t.Errorf("an empty pool has %d bytes in %d parcels", p.bytes, len(p.free))
	}
}

// TestFlowsBounded checks that made-up addresses cannot fill the memory, and
// that a flow in use is not forgotten meanwhile.
func TestFlowsBounded(t *testing.T) {
	t.Parallel()
	c := testChain(1, Loss(0.5))
	busy := c.flows.get(testFlow(0))
	for i := range 5 * maxFlows {
		c.flows.get(testFlow(1 + i))
		if i%1000 == 0 && c.flows.get(testFlow(0)) != busy {
			t.Fatalf("a flow in use was forgotten after %d others", i)
		}
	}
	if got := len(c.flows.young) + len(c.flows.old); got > 2*maxFlows+2 {
		t.Errorf("%d flows are remembered, want at most %d", got, 2*maxFlows)
	}
	first := c.flows.get(testFlow(1))
	if again := c.flows.get(testFlow(1)); again != first {
		t.Error("a flow that was forgotten is not remembered again")
	}
}

// TestSeeds checks that flows, seeds and directions have streams that differ,
// and that none depends on anything else.
func TestSeeds(t *testing.T) {
	type stream struct{ hi, lo uint64 }
	seen := make(map[stream]string)
	add := func(what string, hi, lo uint64) {
		s := stream{hi, lo}
		if before, ok := seen[s]; ok {
			t.Errorf("%s has the stream of %s", what, before)
		}
		seen[s] = what
	}
	for _, seed := range []uint64{0, 1, 2, 1 << 63} {
		for i := range 100 {
			k := testFlow(i)
			hi, lo := seedByAddress(seed)(k)
			add("a flow", hi, lo)
			if hi2, lo2 := seedByAddress(seed)(k); hi2 != hi || lo2 != lo {
				t.Error("the same flow has another stream")
			}
			hi, lo = seedByAddress(seed)(flowKey{k.to, k.from})
			add("the way back", hi, lo)
		}
		out, in := seedByOrder(seed, Outgoing), seedByOrder(seed, Incoming)
		for range 100 {
			hi, lo := out(flowKey{})
			add("a flow out of a wrapped conn", hi, lo)
			hi, lo = in(flowKey{})
			add("a flow into a wrapped conn", hi, lo)
		}
	}
}

// TestSeedFixed pins the streams: they must not change between versions, or a
// seed in somebody's bug report would say nothing any more.
func TestSeedFixed(t *testing.T) {
	var lost strings.Builder
	for _, f := range judgeN(40, 0, 42, Loss(0.5)) {
		lost.WriteString(map[bool]string{true: "x", false: "."}[f.cause != ""])
	}
	if want := "xxxx.xxx.x.x..x..x..x...x.....x..x.xx.xx"; lost.String() != want {
		t.Errorf("seed 42 loses %s, want %s", lost.String(), want)
	}
	var d time.Duration
	for _, f := range judgeN(10, 0, 42, NormalDelay(time.Second, time.Second/10)) {
		d += f.delay
	}
	// Machines differ in how they round the sum of products.
	if want := 9291444784 * time.Nanosecond; (d - want).Abs() > 10 {
		t.Errorf("seed 42 delays ten packets by %d, want %d", d, want)
	}
}
