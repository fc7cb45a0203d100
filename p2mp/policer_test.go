package p2mp

import (
	"errors"
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

// policer drops what exceeds a rate in packets per second, and queues nothing. It lets a
// burst through after a rest.
func policer(rate, burst float64) func(lossy.Packet) bool {
	tokens, last := make(map[netip.AddrPort]float64), make(map[netip.AddrPort]time.Time)
	return func(q lossy.Packet) bool {
		if len(q.Payload) < 500 {
			return false
		}
		now := time.Now()
		if last[q.To].IsZero() {
			tokens[q.To] = burst
		} else {
			tokens[q.To] = min(burst, tokens[q.To]+rate*now.Sub(last[q.To]).Seconds())
		}
		last[q.To] = now
		if tokens[q.To] < 1 {
			return true
		}
		tokens[q.To]--
		return false
	}
}

// TestPolicer: behind a policer, most packets arrive after the rate has been learned.
func TestPolicer(t *testing.T) {
	for _, n := range []int{1, 8} {
		for _, rate := range []float64{89, 890} {
			for _, rtt := range []time.Duration{200 * time.Microsecond, 20 * time.Millisecond} {
				t.Run(fmt.Sprintf("%d receivers, %v packets/s, rtt %v", n, rate, rtt), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						p := newParty(t, n, lossy.Delay(rtt/2), lossy.Rate(1e9, 1000), lossy.DropIf(policer(rate, 8)))
						s := Sender{}
						if n > 1 {
							s.Group = testGroup
							p.joinGroup(p.receivers...)
						}
						p.receiveNothing()
						sent, start := make([]int, 20), time.Now()
						conn := plainConn{p.sender, func(b []byte, to net.Addr) (int, error) {
							sent[min(int(time.Since(start).Seconds()), len(sent)-1)]++
							return p.sender.WriteTo(b, to)
						}}
						size := int64(15 * rate * DefaultMSS)
						r, err := s.Send(t.Context(), conn, p.to, ferry.Source{R: io.NewSectionReader(zeros{}, 0, size), Size: size})
						p.stop()
						t.Logf("%v: %v; %d to the group; %v", r.Elapsed, sent, r.GroupSent, err)
						if err != nil {
							t.Error(err)
						}
						for i, k := range sent[2:] {
							if float64(k) > 1.7*rate {
								t.Errorf("%d packets in second %d", k, i+2)
							}
						}
					})
				})
			}
		}
	}
}

// TestGroupPolicedMember: a member that takes less than a twentieth of what the others take
// is served by unicast, and the others need not wait for it.
func TestGroupPolicedMember(t *testing.T) {
	for _, minRate := range []float64{0, 10e6} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 4, lossy.Delay(time.Millisecond), lossy.Rate(100e6, 1000))
			p.joinGroup(p.receivers...)
			slow := p.receivers[1]
			slow.conn = lossy.Wrap(slow.conn, lossy.Ingress(lossy.DropIf(policer(89, 8))))
			p.receive(Receiver{})
			data := noise(1, 8<<20)
			report, err := p.send(Sender{Group: testGroup, MinRate: minRate}, data)
			for i, r := range report.Peers {
				t.Log(r.Multicast, r.State, r.Elapsed)
				if i != 1 && (r.State != Complete || r.Elapsed > 5*time.Second) {
					t.Errorf("receiver %d: %v after %v", i, r.State, r.Elapsed)
				}
			}
			if got := report.Peers[1].State; minRate == 0 && (err != nil || got != Complete) || minRate > 0 && (!errors.Is(err, ErrSlow) || got != Dropped) {
				t.Errorf("minimum %v: the slow one is %v, %v", minRate, got, err)
			}
		})
	}
}
