package tftp

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// damaged are the beginnings of a packet, and the packet with each bit flipped in turn;
// some of them under the race detector.
func damaged(p Packet) (all [][]byte) {
	b, _ := p.MarshalBinary()
	for n := range b {
		if n%thorough != 0 {
			continue
		}
		all = append(all, b[:n])
		for bit := range 8 {
			c := bytes.Clone(b)
			c[n] ^= 1 << bit
			all = append(all, c)
		}
	}
	return all
}

// TestDamagedPacketsAtServer: whatever becomes of a packet on the way, the server goes
// on, and nothing of it panics.
func TestDamagedPacketsAtServer(t *testing.T) {
	requests := []Packet{
		rrq(Option{"blksize", "600"}, Option{"windowsize", "3"}, Option{"tsize", "0"}, Option{"timeout", "2"}),
		{Op: WRQ, Name: "new", Mode: "netascii"},
	}
	talk := []Packet{
		{Op: ACK, Block: 1},
		{Op: DATA, Block: 1, Payload: []byte("text")},
		{Op: ERROR, Code: CodeAccess, Message: "no"},
		{Op: OACK, Options: []Option{{"tsize", "9"}}},
		rrq(),
	}
	for _, single := range []bool{false, true} {
		withServer(t, 3000, func(p *testNet) {
			p.server.SinglePort = single
			p.server.MaxPerAddress = 4096
			p.server.Trace = &Trace{Finished: func(e TransferEvent) {
				if e.Err != nil && strings.Contains(e.Err.Error(), "panic") {
					t.Error(e.Err)
				}
			}}
		}, func(p *testNet, u *manualPeer) {
			alone := func(f func(u *manualPeer)) {
				u := p.manualPeer()
				f(u)
				u.conn.Close()
			}
			for _, r := range requests {
				for _, b := range damaged(r) {
					alone(func(u *manualPeer) { u.send(p.addr, b) })
				}
				for _, k := range talk {
					for _, b := range damaged(k) {
						alone(func(u *manualPeer) {
							u.packet(p.addr, r)
							_, from := u.within(ms, false)
							u.send(from, b)
							u.within(ms, false)
						})
					}
				}
			}
			time.Sleep(DefaultServerGiveUp)
			if _, r, err := p.get(Client{}, "file"); err != nil || r.Bytes != 3000 {
				t.Errorf("afterwards: %d bytes, %v", r.Bytes, err)
			}
		})
	}
}

// TestDamagedPacketsAtClient: nor does a client panic, or hang.
func TestDamagedPacketsAtClient(t *testing.T) {
	answers := []Packet{
		{Op: OACK, Options: []Option{{"blksize", "600"}, {"windowsize", "2"}, {"tsize", "9"}}},
		{Op: DATA, Block: 1, Payload: []byte("text")},
		{Op: ACK},
		{Op: ERROR, Code: CodeAccess, Message: "no"},
	}
	synctest.Test(t, func(t *testing.T) {
		p := newTestNet(t)
		server := &manualPeer{t, p.conn}
		for _, wide := range []bool{false, true} {
			c := Client{Wide: wide, BlockSize: 600, GiveUp: 3 * time.Second}
			for _, first := range answers {
				for _, then := range answers {
					for i, b := range damaged(then) {
						done := make(chan time.Duration)
						go func() {
							start := time.Now()
							if i%2 == 0 {
								p.get(c, "file")
							} else {
								p.put(c, "file", noise(1, 2000))
							}
							done <- time.Since(start)
						}()
						_, from := server.within(ms, wide)
						first.Wide = wide
						server.packet(from, first)
						server.within(ms, wide)
						server.send(from, b)
						if took := <-done; took > 10*time.Second {
							t.Fatalf("%v, then %q: over after %v", first, b, took)
						}
						server.within(ms, wide)
					}
				}
			}
		}
		p.conn.Close()
	})
}
