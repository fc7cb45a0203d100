package tftp

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// TestSorcerersApprentice: a repeated ACK draws no second DATA (RFC 1123, section
// 4.2.3.1), nor does one from the future.
func TestSorcerersApprentice(t *testing.T) {
	withServer(t, 2000, nil, func(p *testNet, u *manualPeer) {
		u.packet(p.addr, rrq())
		from := u.expect(ms, false, "DATA 1")
		u.packet(from, Packet{Op: ACK, Block: 2}) // of a block that was not sent
		u.packet(from, Packet{Op: ACK, Block: 7})
		u.expect(ms, false)
		for range 5 {
			u.packet(from, Packet{Op: ACK, Block: 1})
		}
		u.expect(3*ms, false, "DATA 2")
		for range 5 {
			u.packet(from, Packet{Op: ACK, Block: 1})
		}
		u.expect(ms, false)
		u.packet(from, Packet{Op: ACK, Block: 2})
		u.expect(ms, false, "DATA 3")
	})
}

// TestGapRestartsTheWindow (RFC 7440, section 4), and ACKs repeated in succession draw
// one answer.
func TestGapRestartsTheWindow(t *testing.T) {
	withServer(t, 8*512, nil, func(p *testNet, u *manualPeer) {
		u.packet(p.addr, rrq(Option{"WindowSize", "4"}))
		from := u.expect(ms, false, "OACK[{WindowSize 4}]")
		u.packet(from, Packet{Op: ACK, Block: 0})
		u.expect(3*ms, false, "DATA 1", "DATA 2", "DATA 3", "DATA 4")
		u.packet(from, Packet{Op: ACK, Block: 2}) // 3 was lost
		u.expect(ms, false, "DATA 3", "DATA 4", "DATA 5", "DATA 6")
		for range 4 {
			u.packet(from, Packet{Op: ACK, Block: 2}) // 3 was lost again
		}
		u.expect(ms, false, "DATA 3", "DATA 4", "DATA 5", "DATA 6")
		u.packet(from, Packet{Op: ACK, Block: 6})
		u.expect(ms, false, "DATA 7", "DATA 8", "DATA 9")
	})
}

// TestRollover: block numbers come again, to 0 or to 1, and each file is whole.
func TestRollover(t *testing.T) {
	data := noise(1, 8*65536+8*40+3)
	for _, toOne := range []bool{false, true} {
		c := Client{BlockSize: 8, WindowSize: 64, RollToOne: toOne}
		setup := func(p *testNet) {
			p.server.RollToOne = toOne
			p.files.files["file"] = data
		}
		both := thorough == 1 // else each direction with one of them
		if both || toOne {
			withServer(t, 0, setup, func(p *testNet, _ *manualPeer) {
				got, r, err := p.get(c, "file")
				if err != nil || !bytes.Equal(got, data) || r.Blocks != 65536+41 {
					t.Errorf("Get: %d bytes, %v", len(got), err)
				}
			})
		}
		if both || !toOne {
			withServer(t, 0, setup, func(p *testNet, _ *manualPeer) {
				if r, err := p.put(c, "new", data); err != nil || !p.has("new", data) || r.Blocks != 65536+41 {
					t.Errorf("Put: %v", err)
				}
			})
		}
	}
}

// has reports whether the server has a file with that content.
func (p *testNet) has(name string, data []byte) bool {
	b, ok := p.files.get(name)
	return ok && bytes.Equal(b, data)
}

// TestDoubledACK: an ACK that the network doubles does not start the window again, for
// it cannot be an answer to it; one that comes when it can be, does.
func TestDoubledACK(t *testing.T) {
	withServer(t, 20*512, nil, func(p *testNet, u *manualPeer) {
		u.packet(p.addr, rrq(Option{"windowsize", "4"}))
		from := u.expect(10*ms, false, "OACK[{windowsize 4}]")
		u.packet(from, Packet{Op: ACK, Block: 0}) // the round trip is 10 ms
		u.expect(ms, false, "DATA 1", "DATA 2", "DATA 3", "DATA 4")
		u.expect(9*ms, false)
		u.packet(from, Packet{Op: ACK, Block: 4})
		u.expect(5*ms, false, "DATA 5", "DATA 6", "DATA 7", "DATA 8")
		u.packet(from, Packet{Op: ACK, Block: 4})
		u.expect(5*ms, false)
		u.packet(from, Packet{Op: ACK, Block: 4})
		u.expect(ms, false, "DATA 5", "DATA 6", "DATA 7", "DATA 8")
	})
}

// TestOtherRoll: where one side lets block 1 follow block 65535, and the other block 0, no
// block is skipped.
func TestOtherRoll(t *testing.T) {
	const size = 8*65536 + 323
	for _, atServer := range []bool{false, true} {
		c := Client{BlockSize: 8, WindowSize: 64, RollToOne: !atServer}
		withServer(t, size, func(p *testNet) {
			p.server.RollToOne = atServer
			p.server.GiveUp = 5 * time.Second
		}, func(p *testNet, _ *manualPeer) {
			if got, _, err := p.get(c, "file"); err == nil || !atServer && !errors.Is(err, ErrBlock) {
				t.Errorf("Get, %d bytes: %v", len(got), err)
			}
			var said *Error
			if _, err := p.put(c, "new", noise(2, size)); err == nil || atServer && !(errors.As(err, &said) && said.Code == CodeIllegal) {
				t.Errorf("Put: %v", err)
			}
			if _, ok := p.files.get("new"); ok {
				t.Error("the server kept a file")
			}
		})
	}
}
