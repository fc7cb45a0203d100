package tftp

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestWrongTransferID: a packet from another port is answered with error 5, and the transfer
// goes on. An ERROR, and a packet that cannot be decoded, are not answered.
func TestWrongTransferID(t *testing.T) {
	withServer(t, 2000, nil, func(p *testNet, u *manualPeer) {
		u.packet(p.addr, rrq())
		from := u.expect(ms, false, "DATA 1")
		stranger := p.manualPeer()
		stranger.packet(from, Packet{Op: ACK, Block: 1})
		stranger.expect(ms, false, "ERROR 5")
		stranger.packet(from, Packet{Op: ERROR, Code: 1})
		stranger.send(from, []byte{0, 9, 0, 0})
		stranger.expect(ms, false)
		for range 3 * maxUnsolicited {
			stranger.packet(from, Packet{Op: DATA, Block: 1})
		}
		if said, _ := stranger.within(ms, false); len(said) != maxUnsolicited-1 {
			t.Errorf("%d answers to a flood, want %d in all", len(said), maxUnsolicited)
		}
		stranger.conn.Close()
		u.packet(from, Packet{Op: ACK, Block: 1})
		u.expect(ms, false, "DATA 2")
	})
}

// TestMalformedPacket from the peer's own port draws an ERROR and ends the transfer
// (UDP file delivery assignment, "About TFTP").
func TestMalformedPacket(t *testing.T) {
	for name, b := range map[string][]byte{
		"opcode":     {0, 9, 0, 1},
		"short":      {0, 4, 0},
		"empty":      {},
		"trailing":   {0, 4, 0, 1, 9},
		"wide ACK":   {0, 4, 0, 0, 0, 1},
		"no options": {0, 6, 'a', 0},
	} {
		t.Run(name, func(t *testing.T) {
			var got error
			withServer(t, 2000, func(p *testNet) {
				p.server.Trace = &Trace{Finished: func(e TransferEvent) { got = e.Err }}
			}, func(p *testNet, u *manualPeer) {
				u.packet(p.addr, rrq())
				from := u.expect(ms, false, "DATA 1")
				u.send(from, b)
				u.expect(time.Minute, false, "ERROR 4")
				u.packet(from, Packet{Op: ACK, Block: 1})
				u.expect(ms, false)
			})
			want := ErrMalformed
			if name == "wide ACK" {
				want = ErrWidth
			}
			if !errors.Is(got, want) {
				t.Errorf("error %v, want %v", got, want)
			}
		})
	}
}

// TestErrorIsNeverAnswered, neither in a transfer nor at the server's port, nor is
// anything but a request there.
func TestErrorIsNeverAnswered(t *testing.T) {
	withServer(t, 2000, nil, func(p *testNet, u *manualPeer) {
		for _, k := range []Packet{{Op: ERROR, Code: 4}, {Op: DATA, Block: 1}, {Op: ACK, Block: 0}, {Op: OACK}} {
			u.packet(p.addr, k)
		}
		u.send(p.addr, nil)
		u.send(p.addr, []byte{0, 77, 1, 1})
		u.expect(time.Second, false)
		u.packet(p.addr, rrq())
		from := u.expect(ms, false, "DATA 1")
		u.packet(from, Packet{Op: ERROR, Code: 0})
		u.expect(time.Minute, false)
	})
}

// TestWidths: a Wide and a plain end that meet fail with error 4, at once, and know
// why.
func TestWidths(t *testing.T) {
	for _, wide := range []bool{false, true} {
		for _, size := range []int{0, 1, 2000} {
			for _, options := range []bool{false, true} {
				c := Client{Wide: !wide, BlockSize: -1, WindowSize: -1}
				if options {
					c.BlockSize, c.WindowSize = 600, 0
				}
				withServer(t, size, func(p *testNet) { p.server.Wide = wide }, func(p *testNet, _ *manualPeer) {
					start := time.Now()
					_, _, getErr := p.get(c, "file")
					_, putErr := p.put(c, "new", noise(1, size))
					for _, err := range []error{getErr, putErr} {
						var said *Error
						told := errors.As(err, &said) && said.Code == CodeIllegal && strings.Contains(said.Message, "bytes here")
						if !errors.Is(err, ErrWidth) && !told {
							t.Errorf("server Wide %v, %d bytes, options %v: %v", wide, size, options, err)
						}
					}
					if d := time.Since(start); d > time.Second {
						t.Errorf("it took %v to notice", d)
					}
				})
			}
		}
	}
}

// TestBlockTooLong is as bad as a packet that cannot be read.
func TestBlockTooLong(t *testing.T) {
	var got error
	withServer(t, 0, func(p *testNet) {
		p.server.Trace = &Trace{Finished: func(e TransferEvent) { got = e.Err }}
	}, func(p *testNet, u *manualPeer) {
		u.packet(p.addr, Packet{Op: WRQ, Name: "new", Mode: "octet"})
		from := u.expect(ms, false, "ACK 0")
		u.packet(from, Packet{Op: DATA, Block: 1, Payload: make([]byte, 512)})
		u.expect(ms, false, "ACK 1")
		u.packet(from, Packet{Op: DATA, Block: 2, Payload: make([]byte, 513)})
		u.expect(time.Minute, false, "ERROR 4")
	})
	if !errors.Is(got, ErrMalformed) || !errors.Is(got, ErrLength) {
		t.Errorf("error %v", got)
	}
}
