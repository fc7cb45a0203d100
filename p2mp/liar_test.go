package p2mp

import (
	"errors"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// A lyingConn changes what a receiver reports.
type lyingConn struct {
	net.PacketConn
	lie func(*status)
}

func (c lyingConn) WriteTo(b []byte, to net.Addr) (int, error) {
	p, err := ParsePacket(b)
	if err != nil || p.Category != CategoryReport {
		return c.PacketConn.WriteTo(b, to)
	}
	s, err := parseStatus(p.Payload)
	if err != nil {
		return 0, err
	}
	c.lie(&s)
	if _, err := c.PacketConn.WriteTo(appendMessage(nil, CategoryReport, &s), to); err != nil {
		return 0, err
	}
	return len(b), nil
}

// TestReceivedIsBounded: a receiver that exaggerates the number of received packets is not
// sent data faster, and takes nothing from other receivers.
func TestReceivedIsBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for name, lie := range map[string]func(*status){
		"too much":    func(s *status) { s.received *= 1000 },
		"at random":   func(s *status) { s.received = r.Uint32N(10_000) },
		"all at once": func(s *status) { s.received *= s.number / 32 % 2 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 2, lossy.Delay(5*time.Millisecond), bottleneck(20e6, 100))
				liar := p.receivers[0]
				liar.conn = lyingConn{liar.conn, lie}
				p.receive(Receiver{})
				data := noise(1, 8<<20)
				report, err := p.send(Sender{}, data)
				if err != nil {
					t.Fatal(err)
				}
				p.check(data)
				for i, peer := range report.Peers {
					t.Logf("receiver %d: %d packets for %d chunks in %v", i, peer.Sent, peer.Chunks, peer.Elapsed)
					if float64(peer.Sent) > 1.15*float64(peer.Chunks) {
						t.Errorf("receiver %d: %d packets for %d chunks", i, peer.Sent, peer.Chunks)
					}
				}
			})
		})
	}
}

// TestGroupMinRateLiar: a receiver that makes a group slower by what it reports is the one
// that is given up for it, if it can make the group slower at all.
func TestGroupMinRateLiar(t *testing.T) {
	for _, factor := range []uint32{2, 1000} {
		for _, k := range []int{0, 3} {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 4, lossy.Delay(5*time.Millisecond), lossy.Rate(100e6, 100))
				p.joinGroup(p.receivers...)
				liar := p.receivers[k]
				liar.conn = lyingConn{liar.conn, func(s *status) { s.clock *= factor }}
				p.receive(Receiver{})
				report, err := p.send(Sender{Group: testGroup, MinRate: 10e6}, noise(1, 16<<20))
				var incomplete *IncompleteError
				if err != nil && (!errors.As(err, &incomplete) || !errors.Is(err, ErrSlow) || len(incomplete.Peers) != 1 || incomplete.Peers[0].Addr != p.to[k]) {
					t.Errorf("%d times as slow: %v; want receiver %d given up, or nobody", factor, err, k)
				}
				if report.Elapsed > 10*time.Second {
					t.Errorf("%d times as slow: %v", factor, report.Elapsed)
				}
			})
		}
	}
}
