package amplify

import (
	"math"
	"testing"
)

func TestReceived(t *testing.T) {
	var b Budget
	if b.Allows(1) || !b.Allows(0) {
		t.Error("nothing was received")
	}
	b.Received(10)
	for _, step := range []struct {
		n    int
		room int64
	}{{10, 20}, {20, 0}} {
		if !b.Allows(step.n) {
			t.Errorf("%d bytes are not allowed, of %d", step.n, b.Room())
		}
		if b.Sent(step.n); b.Room() != step.room {
			t.Errorf("room for %d bytes, want %d", b.Room(), step.room)
		}
	}
	if b.Allows(1) {
		t.Error("more than three times is allowed")
	}
	b.Sent(5) // a packet that the protocol may not hold back
	b.Received(2)
	if b.Room() != 1 {
		t.Errorf("room for %d bytes, want 1", b.Room())
	}
	if b.Sent(5); b.Room() != 0 {
		t.Errorf("room for %d bytes, want 0", b.Room())
	}
}

func TestAllow(t *testing.T) {
	var b Budget
	for _, step := range []struct{ sent, room int }{{0, 10}, {0, 20}, {0, 25}, {25, 10}, {20, 0}, {0, 10}} {
		b.Sent(step.sent)
		if b.Allow(10, 25); b.Room() != int64(step.room) {
			t.Errorf("room for %d bytes, want %d", b.Room(), step.room)
		}
	}
}

func TestGrant(t *testing.T) {
	var b Budget
	b.Grant(2, 100)
	for range 2 {
		if !b.Allows(40) {
			t.Fatal("a packet of the grant is not allowed")
		}
		b.Sent(40)
	}
	if b.Allows(1) || b.Room() != 0 {
		t.Error("a third packet is allowed")
	}
	b.Grant(2, 100) // not 3, and not 120
	if b.Allows(101) || !b.Allows(100) {
		t.Errorf("room for %d bytes, want 100", b.Room())
	}
	b.Sent(100)
	if b.Allows(1) {
		t.Error("more bytes than granted are allowed")
	}
}

func TestProve(t *testing.T) {
	var b Budget
	b.Grant(1, 10)
	b.Prove()
	for range 100 {
		b.Sent(1 << 20)
	}
	if !b.Proved() || !b.Allows(1<<30) || b.Room() != math.MaxInt64 {
		t.Error("there is a limit after the proof")
	}
}
