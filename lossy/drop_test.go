package lossy

import (
	"slices"
	"testing"
)

// passedNumbers returns the numbers, from 1, of the packets that pass.
func passedNumbers(n int, models ...Model) (numbers []int) {
	for i, f := range judgeN(n, 0, 1, models...) {
		if f.cause == "" {
			numbers = append(numbers, i+1)
		} else if f.cause != CauseScript {
			panic(f.cause)
		}
	}
	return numbers
}

func TestDropNth(t *testing.T) {
	if got, want := passedNumbers(6, DropNth(1, 2)), []int{3, 4, 5, 6}; !slices.Equal(got, want) {
		t.Errorf("DropNth(1, 2) passes %v, want %v", got, want)
	}
	if got, want := passedNumbers(6, DropNth(6, 3, 3), DropNth(5)), []int{1, 2, 4}; !slices.Equal(got, want) {
		t.Errorf("two scripts pass %v, want %v", got, want)
	}
	if got := passedNumbers(6, DropNth()); len(got) != 6 {
		t.Errorf("DropNth() passes %v", got)
	}
	// Each flow is numbered separately.
	c := testChain(1, DropNth(2))
	var s Stats
	for _, i := range []int{1, 2, 1, 1, 2} {
		f := c.flows.get(testFlow(i))
		f.n++
		c.judge(f, f.n, nil, 0, &s)
	}
	if s.Scripted != 2 {
		t.Errorf("%d dropped in two flows, want 2", s.Scripted)
	}
}

func TestDropIf(t *testing.T) {
	var seen []Packet
	c := testChain(1, DropIf(func(p Packet) bool {
		seen = append(seen, p)
		return string(p.Payload) == "bad"
	}))
	f := c.flows.get(testFlow(3))
	var s Stats
	for i, payload := range []string{"good", "bad", "ugly"} {
		c.judge(f, i+1, []byte(payload), 0, &s)
	}
	if s.Packets != 3 || s.Scripted != 1 || s.Dropped() != 1 || s.Bytes != 11 {
		t.Errorf("statistics are %+v", s)
	}
	for i, p := range seen {
		if p.N != i+1 || p.From != f.from || p.To != f.to {
			t.Errorf("packet %d is shown as %+v", i, p)
		}
	}
	if c.x.Payload != nil {
		t.Error("a payload is kept after the call")
	}
}

func TestDropEvery(t *testing.T) {
	if got, want := passedNumbers(9, DropEvery(3)), []int{1, 2, 4, 5, 7, 8}; !slices.Equal(got, want) {
		t.Errorf("DropEvery(3) passes %v, want %v", got, want)
	}
	if got := passedNumbers(9, DropEvery(1)); len(got) != 0 {
		t.Errorf("DropEvery(1) passes %v", got)
	}
}
