package lossy

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestHeap compares the heap with a sorted slice.
func TestHeap(t *testing.T) {
	const seed = 1
	r := rand.New(rand.NewPCG(seed, 0))
	var h heap
	var want []*event
	sorted := func() {
		slices.SortFunc(want, func(a, b *event) int {
			if a.at != b.at {
				return int(a.at - b.at)
			}
			return a.compare(b)
		})
	}
	flows := []*flow{{flowKey: testFlow(1)}, {flowKey: testFlow(2)}, {flowKey: testFlow(3)}}
	for step := range 20000 {
		switch {
		case len(want) == 0 || r.IntN(100) < 51:
			p := &parcel{flow: flows[r.IntN(3)], n: step}
			p.parcel = p
			p.at = time.Duration(r.IntN(50)) // many ties
			h.push(&p.event)
			want = append(want, &p.event)
		case r.IntN(2) == 0:
			i := r.IntN(len(want))
			h.remove(want[i])
			h.remove(want[i]) // which does nothing
			want = slices.Delete(want, i, i+1)
		default:
			sorted()
			if got := h.next(); got != want[0].at {
				t.Fatalf("seed %d, step %d: next is at %d, want %d", seed, step, got, want[0].at)
			}
			if got := h.pop(); got != want[0] {
				t.Fatalf("seed %d, step %d: popped the event at %d, want that at %d", seed, step, got.at, want[0].at)
			}
			want = want[1:]
		}
	}
	sorted()
	for _, e := range want {
		if got := h.pop(); got != e || got.place != 0 {
			t.Fatalf("seed %d: popped the event at %d, want that at %d", seed, got.at, e.at)
		}
	}
	if h.next() != never || len(h.nodes) != 0 {
		t.Error("the heap is not empty")
	}
}

// TestEventOrder checks the order of the events of one instant: arrivals by
// destination, source, number and copy, then deadlines.
func TestEventOrder(t *testing.T) {
	key := func(from, to int) *flow {
		return &flow{flowKey: flowKey{testFlow(from).from, testFlow(to).to}}
	}
	arrivalOf := func(f *flow, n, copy int) *event {
		p := &parcel{flow: f, n: n, copy: copy}
		p.parcel = p
		return &p.event
	}
	f12 := key(1, 2)
	ordered := []*event{
		arrivalOf(key(9, 1), 9, 9),
		arrivalOf(f12, 1, 0),
		arrivalOf(f12, 1, 1),
		arrivalOf(f12, 2, 0),
		arrivalOf(key(2, 2), 1, 0),
		{kind: deadline, conn: &Conn{local: testFlow(1).from}},
		{kind: deadline, conn: &Conn{local: testFlow(2).from}},
	}
	for i, a := range ordered {
		for k, b := range ordered {
			got := a.compare(b)
			if (got < 0) != (i < k) || (got > 0) != (i > k) {
				t.Errorf("event %d compared with %d is %d", i, k, got)
			}
		}
	}
}
