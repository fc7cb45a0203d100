package tftp

import (
	"testing"
	"time"
)

// TestRepeatedBlock is acknowledged again, at once; one before it is not, and one from
// beyond the window is ignored.
func TestRepeatedBlock(t *testing.T) {
	onStage(t, 0, nil, func(p *stage, u *puppet) {
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
		if v, _ := in.judge(now, number, []byte("x")); v != want {
			t.Errorf("block %d: verdict %d, want %d", number, v, want)
		}
	}
}
