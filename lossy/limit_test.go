package lossy

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestLimit(t *testing.T) {
	// A packet each ms, each held for 10: ten are held when the next comes.
	if got := drops(judgeN(100, time.Millisecond, 1, Delay(10*time.Millisecond), Limit(10))); got != 0 {
		t.Errorf("%d dropped of which ten are held", got)
	}
	fates := judgeN(100, time.Millisecond, 1, Delay(10*time.Millisecond), Limit(9))
	for i, f := range fates {
		if want := i%10 == 9; (f.cause == CauseQueue) != want {
			t.Fatalf("with room for 9 of 10, packet %d is %q", i, f.cause)
		}
	}
	// What is not delayed is not held.
	if got := drops(judgeN(100, 0, 1, Limit(1))); got != 0 {
		t.Errorf("%d dropped that were not delayed", got)
	}
	// Those that wait for a slow link count, too.
	if got := drops(judgeN(10, 0, 1, RateWith(RateConfig{BitsPerSecond: 1, Packets: -1}), Limit(3))); got != 7 {
		t.Errorf("%d of 10 dropped, want 7", got)
	}
	// The first to leave makes room, in whatever order they came.
	order := []time.Duration{30, 10, 20, 5, 5, 5, 5}
	i := -1
	by := stateless(func(*passage) verdict { i++; return verdict{delay: order[i] * time.Millisecond} })
	var got strings.Builder
	for _, f := range judgeN(7, 6*time.Millisecond, 1, by, Limit(2)) {
		got.WriteString(map[bool]string{true: "x", false: "."}[f.cause != ""])
	}
	// Held: until 30; 16; then full; at 18 the second has left; at 24 room again...
	if want := "..x...."; got.String() != want {
		t.Errorf("drops are %s, want %s", got.String(), want)
	}
	if got := drops(judgeN(5, 1, 1, Delay(math.MaxInt64), Limit(3))); got != 2 {
		t.Errorf("%d of 5 dropped that never leave, want 2", got)
	}
}

func TestMTU(t *testing.T) {
	pass := func(mtu, size int, k flowKey) bool {
		c := testChain(1, MTU(mtu))
		var s Stats
		f := c.judge(c.flows.get(k), 1, make([]byte, size), 0, &s)[0]
		if (f.cause == "") == (s.TooLong == 1) {
			t.Errorf("statistics are %+v", s)
		}
		return f.cause == ""
	}
	four := testFlow(1)
	six := flowKey{addrPort("[fd00::1]:1"), addrPort("[fd00::2]:2")}
	for _, test := range []struct {
		k         flowKey
		mtu, size int
		want      bool
	}{
		{four, 1500, 1472, true},
		{four, 1500, 1473, false},
		{six, 1500, 1452, true},
		{six, 1500, 1453, false},
		{four, 68, 40, true},
		{four, 68, 41, false},
		{four, 68, 0, true},
	} {
		if got := pass(test.mtu, test.size, test.k); got != test.want {
			t.Errorf("%d bytes from %v pass an MTU of %d: %v", test.size, test.k.from, test.mtu, got)
		}
	}
}
