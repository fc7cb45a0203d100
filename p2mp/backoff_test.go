package p2mp

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// A hole is a path from some moment on.
type hole struct {
	name string
	// drops says what is lost, since after the hole opened.
	drops func(q lossy.Packet, since time.Duration) bool
}

var holes = []hole{
	{"everything is lost", func(lossy.Packet, time.Duration) bool { return true }},
	{"large packets are lost", func(q lossy.Packet, _ time.Duration) bool { return len(q.Payload) > 500 }},
	{"the receivers stop reading", func(q lossy.Packet, _ time.Duration) bool { return q.From.Addr() != senderAddr }},
}

var senderAddr = netip.MustParseAddr("10.0.0.1")

// TestNothingArrives: from the moment that nothing arrives any more, or from the beginning,
// at most 200 packets are sent in ten seconds, whatever the rate, and what a fast path holds.
func TestNothingArrives(t *testing.T) {
	for _, n := range []int{1, 8} {
		for _, h := range holes {
			for _, rate := range []float64{0, 1e6, 100e6} {
				for _, link := range []float64{10e6, 1e9} {
					for _, opens := range []time.Duration{0, 300 * time.Millisecond} {
						name := fmt.Sprintf("%s, %d receivers, rate %g, link %g, opens %v", h.name, n, rate, link, opens)
						t.Run(name, func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) { nothingArrives(t, h, n, rate, link, opens) })
						})
					}
				}
			}
		}
	}
}

func nothingArrives(t *testing.T, h hole, n int, rate, link float64, opens time.Duration) {
	start := time.Now()
	p := newParty(t, n, lossy.Delay(100*time.Microsecond), lossy.Rate(link, 1000), lossy.DropIf(func(q lossy.Packet) bool {
		since := time.Since(start) - opens
		return since >= 0 && h.drops(q, since)
	}))
	s := Sender{Rate: rate, GiveUp: 12 * time.Second}
	if n > 1 {
		s.Group = testGroup
		p.joinGroup(p.receivers...)
	}
	p.receiveNothing()
	sent := make([]int, 12) // in each second
	conn := plainConn{p.sender, func(b []byte, to net.Addr) (int, error) {
		if since := time.Since(start) - opens; since >= 0 {
			sent[min(int(since.Seconds()), len(sent)-1)]++
		}
		return p.sender.WriteTo(b, to)
	}}
	_, err := s.Send(t.Context(), conn, p.to, ferry.Source{R: zeros{}, Size: 1 << 30})
	p.stop()
	total := 0
	for _, k := range sent[:10] {
		total += k
	}
	t.Logf("%d packets: %v; %v", total, sent, err)
	most := 200
	if rate == 0 && link == 1e9 {
		most += 100 // what the path and its queue hold
	}
	if total > most {
		t.Errorf("%d packets in ten seconds", total)
	}
}

// receiveNothing starts Receive at every member, and throws away what comes.
func (p *party) receiveNothing() {
	for _, m := range p.receivers {
		m.start(func(ctx context.Context) error {
			_, err := (&Receiver{}).Receive(ctx, m.conn, io.Discard)
			return err
		})
	}
}

// zeros is a source of any length.
type zeros struct{}

func (zeros) Read(b []byte) (int, error)            { clear(b); return len(b), nil }
func (zeros) ReadAt(b []byte, _ int64) (int, error) { clear(b); return len(b), nil }
