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
	// A packet without delay is not held.
	if got := drops(judgeN(100, 0, 1, Limit(1))); got != 0 {
		t.Errorf("%d dropped that were not delayed", got)
	}
	// Packets that wait for a slow link count.
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

// TestLimitSpares: what Limit drops has taken nothing of the models before it.
func TestLimitSpares(t *testing.T) {
	endless := Rate(7e6, math.MaxInt)
	for name, test := range map[string]struct{ got, want Model }{
		"a link":        {Compose(endless, Limit(8)), Rate(7e6, 7)},
		"a shared link": {Compose(Shared(endless), Limit(8)), Rate(7e6, 7)},
		"two limits":    {Compose(endless, Limit(8), Limit(7)), Rate(7e6, 6)},
		"slots":         {Compose(Slots(time.Millisecond, time.Millisecond, 1, 0), Limit(8)), Rate(8e6, 7)},
	} {
		want := judgeN(2000, 500*time.Microsecond, 1, test.want)
		for i, f := range judgeN(2000, 500*time.Microsecond, 1, test.got) {
			if f.cause != want[i].cause || f.cause == "" && f.delay != want[i].delay {
				t.Errorf("%s: packet %d: %q, %v, want %q, %v", name, i, f.cause, f.delay, want[i].cause, want[i].delay)
				break
			}
		}
	}
}

// TestLimitSparesOrder: a packet that is dropped holds up none that comes behind it.
func TestLimitSparesOrder(t *testing.T) {
	delays := []time.Duration{10, 30, 5}
	i := -1
	by := stateless(func(*passage) verdict { i++; return verdict{delay: delays[i]} })
	if f := judgeN(3, 6, 1, by, InOrder(), Limit(1)); f[1].cause != CauseQueue || f[2].delay != 5 {
		t.Errorf("behind one that was dropped (%q) a packet takes %v, want 5ns", f[1].cause, f[2].delay)
	}
}

// TestLimitSparesOthers: a flow that sends too much takes no place from another in a link
// and a limit that they share.
func TestLimitSparesOthers(t *testing.T) {
	c := testChain(1, Shared(Compose(Rate(8e6, math.MaxInt), Limit(10))), Limit(3))
	var s Stats
	for i := range 106 {
		f := c.judge(c.flows.get(testFlow(i/100)), i, make([]byte, 1000), 0, &s)[0]
		want := fate{cause: CauseQueue}
		if i%100 < 3 {
			want = fate{delay: time.Duration(1+i%100+i/100*3) * time.Millisecond}
		}
		if f.cause != want.cause || want.cause == "" && f.delay != want.delay {
			t.Errorf("packet %d: %q, delayed by %v, want %q, %v", i, f.cause, f.delay, want.cause, want.delay)
		}
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
