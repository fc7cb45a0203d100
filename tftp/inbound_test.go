package tftp

import (
	"testing"
	"time"
)

// TestRepeatedBlock is acknowledged again, at once; one before it is not, and one from
// beyond the window is ignored.
func TestRepeatedBlock(t *testing.T) {
	withServer(t, 0, nil, func(p *testNet, u *manualPeer) {
		full := make([]byte, 512)
		u.packet(p.addr, Packet{Op: WRQ, Name: "new", Mode: "octet"})
		from := u.expect(ms, false, "ACK 0")
		u.packet(from, Packet{Op: DATA, Block: 1, Payload: full})
		u.expect(ms, false, "ACK 1")
		u.packet(from, Packet{Op: DATA, Block: 1, Payload: full})
		u.expect(ms, false, "ACK 1")
		u.packet(from, Packet{Op: DATA, Block: 3, Payload: full}) // beyond a window of 1
		u.expect(ms, false)
		u.packet(from, Packet{Op: DATA, Block: 2, Payload: full})
		u.expect(ms, false, "ACK 2")
		u.packet(from, Packet{Op: DATA, Block: 1, Payload: full})
		u.expect(ms, false)
	})
}

// TestInboundWindow: a block is kept if it is in the window, and not if it is beyond.
func TestInboundWindow(t *testing.T) {
	now := time.Unix(1, 0)
	in := newInbound(numbering{}, false, Settings{BlockSize: 1, WindowSize: 4}, receiverTimer(plain(), false))
	for number, want := range map[uint32]verdict{0: ignore, 1: deliver, 2: keep, 4: keep, 5: ignore, 40000: ignore, 65535: ignore} {
		if v, _ := in.classify(now, number, []byte("x")); v != want {
			t.Errorf("block %d: verdict %d, want %d", number, v, want)
		}
	}
}

// TestInboundEnd: nothing is behind the last block, and no block is the last with
// others behind it.
func TestInboundEnd(t *testing.T) {
	now := time.Unix(1, 0)
	newest := func() *inbound {
		return newInbound(numbering{}, false, Settings{BlockSize: 2, WindowSize: 8}, receiverTimer(plain(), false))
	}
	in := newest()
	for _, step := range []struct {
		block   uint32
		payload string
		want    verdict
	}{{3, "x", keep}, {4, "xx", ignore}, {2, "xx", keep}, {1, "xx", deliver}} {
		if v, _ := in.classify(now, step.block, []byte(step.payload)); v != step.want {
			t.Errorf("block %d behind the end: verdict %d, want %d", step.block, v, step.want)
		}
	}
	in = newest()
	for _, step := range []struct {
		block   uint32
		payload string
		want    verdict
	}{{4, "xx", keep}, {3, "x", ignore}, {3, "xx", keep}, {5, "", keep}, {6, "xx", ignore}} {
		if v, _ := in.classify(now, step.block, []byte(step.payload)); v != step.want {
			t.Errorf("block %d: verdict %d, want %d", step.block, v, step.want)
		}
	}
}

// TestInboundGaps: a gap is acknowledged once, after a time that allows for reordering. A second
// gap after it is acknowledged as well.
func TestInboundGaps(t *testing.T) {
	start := time.Unix(1, 0)
	now := start
	in := newInbound(numbering{}, false, Settings{BlockSize: 1, WindowSize: 8}, receiverTimer(plain(), false))
	arrive := func(number uint32) {
		v, _ := in.classify(now, number, []byte("x"))
		for ok := v == deliver; ok; _, ok = in.takeHeld() {
			in.taken(now)
		}
	}
	due := func(after time.Duration, want int64) {
		t.Helper()
		if b, ok, wake := in.due(now); ok || !wake.Equal(now.Add(after)) {
			t.Errorf("at %v: block %d due %v, or in %v, want %v", now.Sub(start), b, ok, wake.Sub(now), after)
		}
		now = now.Add(after)
		if b, ok, _ := in.due(now); !ok || b != want {
			t.Errorf("at %v: block %d due %v, want %d", now.Sub(start), b, ok, want)
		}
		in.acknowledged(now, want, false)
		if b, ok, wake := in.due(now); ok || !wake.IsZero() {
			t.Errorf("at %v: block %d due again, in %v", now.Sub(start), b, wake.Sub(now))
		}
	}
	arrive(2)
	arrive(4)
	due(minGapDelay, 0)
	now = now.Add(20 * ms)
	arrive(1) // sent again
	due(minGapDelay, 2)
	now = now.Add(20 * ms)
	arrive(3)
	arrive(6)
	now = now.Add(8 * ms)
	arrive(5) // late
	arrive(8)
	due(10*ms, 6)
}

// TestInboundTail: if the rest of a window does not arrive, the blocks that have arrived are
// acknowledged.
func TestInboundTail(t *testing.T) {
	now := time.Unix(1, 0)
	in := newInbound(numbering{}, false, Settings{BlockSize: 1, WindowSize: 3}, receiverTimer(plain(), false))
	for n, want := range []time.Duration{minTailDelay, minTailDelay, 0} {
		in.classify(now, uint32(n+1), []byte("x"))
		in.taken(now)
		_, ok, wake := in.due(now)
		if want == 0 && !ok || want > 0 && !wake.Equal(now.Add(want)) {
			t.Errorf("%d of 3 blocks: due %v, in %v, want %v", n+1, ok, wake.Sub(now), want)
		}
		now = now.Add(ms)
	}
}
