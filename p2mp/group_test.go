package p2mp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

var testGroup = netip.MustParseAddrPort("239.255.7.35:7735")

// joinGroup has members of a party hear the group.
func (p *party) joinGroup(members ...*member) {
	p.t.Helper()
	for _, m := range members {
		if err := m.conn.(*lossy.Conn).JoinGroup(testGroup.Addr()); err != nil {
			p.t.Fatal(err)
		}
	}
}

// TestGroup: each chunk leaves once, and again when it is lost; the mean for N receivers
// is that of plain repetition, what all need who need the most.
func TestGroup(t *testing.T) {
	const chunks = 4000
	for _, tt := range []struct {
		receivers int
		loss      float64
		most      float64 // transmissions per chunk
	}{
		{1, 0.05, 1.06 * 1.1},
		{2, 0, 1.001},
		{8, 0, 1.001},
		{8, 0.05, 1.39 * 1.04},
		{40, 0.05, 1.97 * 1.03}, // they answer in turns, by numbers that differ from run to run
		{8, 0.2, 2.2 * 1.1},
	} {
		t.Run(fmt.Sprintf("receivers=%d,loss=%v", tt.receivers, tt.loss), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, tt.receivers, lossy.Seed(5), lossy.Loss(tt.loss), lossy.Delay(5*time.Millisecond))
				p.joinGroup(p.receivers...)
				p.receive(Receiver{})
				data := noise(1, chunks*100)
				report, err := p.send(Sender{MSS: 100, Group: testGroup}, data)
				if err != nil {
					t.Fatal(err)
				}
				p.check(data)
				sent := report.GroupSent
				for _, peer := range report.Peers {
					sent += peer.Sent
				}
				per := float64(sent) / chunks
				var answers uint64
				for _, m := range p.receivers {
					answers = max(answers, m.report.Peers[0].Sent)
				}
				feedback := float64(answers) / float64(sent)
				t.Logf("%.3f transmissions per chunk, %d to the group, %.2f %% feedback at most, %v", per, report.GroupSent, 100*feedback, report.Elapsed)
				if feedback > 0.02 {
					t.Errorf("%.2f %% feedback", 100*feedback)
				}
				if report.Elapsed > 2*time.Second {
					t.Errorf("took %v", report.Elapsed)
				}
				if per > tt.most {
					t.Errorf("%.3f transmissions per chunk, want at most %.3f", per, tt.most)
				}
			})
		})
	}
}

// TestGroupThousand: 64 KiB to a thousand.
func TestGroupThousand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := lossy.NewNetwork(lossy.Seed(1), lossy.Delay(5*time.Millisecond), lossy.Loss(0.01))
		p := &party{t: t, net: n, sender: listenAt(t, n, 0)}
		for i := range 1000 / thorough() {
			m := &member{conn: listenAt(t, n, i+1), cancel: func() {}, done: closed}
			p.receivers = append(p.receivers, m)
			p.to = append(p.to, addrOf(m.conn))
		}
		p.joinGroup(p.receivers...)
		p.receive(Receiver{})
		data := noise(1, 64<<10)
		report, err := p.send(Sender{Group: testGroup}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		t.Logf("%v, %d packets to the group", report.Elapsed, report.GroupSent)
	})
}

// TestGroupUnreached: a receiver that the group does not reach is served by unicast, and the
// report says so.
func TestGroupUnreached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 4, lossy.Delay(time.Millisecond))
		p.joinGroup(p.receivers[0], p.receivers[1], p.receivers[3])
		p.receive(Receiver{})
		data := noise(1, 100_000)
		report, err := p.send(Sender{MSS: 100, Group: testGroup}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		for i, peer := range report.Peers {
			if want := i != 2; peer.Multicast != want || !want && peer.Sent != 1000 || want && peer.Sent != 0 {
				t.Errorf("receiver %d: multicast %v, %d packets to it alone", i, peer.Multicast, peer.Sent)
			}
		}
		if report.GroupSent != 1000 {
			t.Errorf("%d packets to the group", report.GroupSent)
		}
	})
}

// TestGroupInvites: without a list, whoever hears of it joins.
func TestGroupInvites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, lossy.Delay(time.Millisecond), lossy.Loss(0.1))
		p.joinGroup(p.receivers...)
		p.receive(Receiver{})
		p.to = nil
		data := noise(1, 100_000)
		report, err := p.send(Sender{MSS: 100, Group: testGroup, JoinTimeout: 2 * time.Second}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		if len(report.Peers) != 3 {
			t.Errorf("%d receivers", len(report.Peers))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 0)
		_, err := p.send(Sender{Group: testGroup}, []byte("x"))
		if !errors.Is(err, ErrNobody) {
			t.Errorf("nobody there: %v", err)
		}
	})
}

// TestGroupLateJoin: who hears of the transfer when it is under way gets the whole file.
func TestGroupLateJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, lossy.Delay(time.Millisecond), lossy.Rate(10e6, 100))
		p.joinGroup(p.receivers...)
		late := p.receivers[2]
		p.receivers = p.receivers[:2]
		p.receive(Receiver{})
		time.AfterFunc(2*time.Second, func() {
			late.start(func(ctx context.Context) error {
				_, err := (&Receiver{}).Receive(ctx, late.conn, &late.got)
				return err
			})
		})
		p.to = nil
		data := noise(1, 5<<20) // four seconds
		report, err := p.send(Sender{Group: testGroup, JoinTimeout: time.Second}, data)
		if err != nil {
			t.Fatal(err)
		}
		<-late.done
		late.conn.Close()
		p.receivers = append(p.receivers, late)
		p.check(data)
		if len(report.Peers) != 3 || report.Peers[2].Multicast || !report.Peers[1].Multicast {
			t.Errorf("%+v", report.Peers)
		}
	})
}

// TestGroupMinRate: a member behind a slow link is given up or served by unicast, so that
// the others do not wait.
func TestGroupMinRate(t *testing.T) {
	for _, policy := range []Policy{Drop, Wait} {
		t.Run(policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 4, lossy.Delay(5*time.Millisecond), lossy.Rate(100e6, 100))
				p.joinGroup(p.receivers...)
				slow := p.receivers[1]
				slow.conn = lossy.Wrap(slow.conn, lossy.Ingress(lossy.Rate(1e6, 50)))
				p.receive(Receiver{})
				data := noise(1, 8<<20)
				report, err := p.send(Sender{Group: testGroup, MinRate: 10e6, Policy: policy}, data)
				var incomplete *IncompleteError
				if policy == Wait && err != nil || policy == Drop && (!errors.As(err, &incomplete) || !errors.Is(err, ErrSlow) || len(incomplete.Peers) != 1 || incomplete.Peers[0].Addr != p.to[1]) {
					t.Errorf("%v", err)
				}
				for i, peer := range report.Peers {
					t.Logf("%v %v", peer.State, peer.Elapsed)
					if i != 1 && (!bytes.Equal(p.receivers[i].got.Bytes(), data) || peer.Elapsed > 15*time.Second) {
						t.Errorf("receiver %d: %d bytes, %v", i, p.receivers[i].got.Len(), peer.Elapsed)
					}
				}
			})
		})
	}
}

// TestGroupMemberHeldUp: one whose process had to wait for a while stays in the group.
func TestGroupMemberHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, lossy.Delay(time.Millisecond), lossy.Rate(400e6, 1000))
		p.joinGroup(p.receivers...)
		start := time.Now()
		held := p.receivers[1]
		held.conn = lossy.Wrap(held.conn, lossy.Both(lossy.DropIf(func(lossy.Packet) bool {
			d := time.Since(start)
			return d > 50*time.Millisecond && d < 250*time.Millisecond
		})))
		p.receive(Receiver{})
		data := noise(1, 16<<20)
		report, err := p.send(Sender{Group: testGroup, Window: 1000}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		t.Logf("%d packets to the group, %d to the one held up", report.GroupSent, report.Peers[1].Sent)
		if report.Peers[1].Sent > uint64(report.Chunks)/5 {
			t.Errorf("%d packets to it alone", report.Peers[1].Sent)
		}
	})
}

// TestGroupMemberKilled: the others finish as if it had not been there.
func TestGroupMemberKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		elapsed := func(kill bool) (slowest time.Duration) {
			p := newParty(t, 4, lossy.Seed(1), lossy.Delay(time.Millisecond), lossy.Rate(50e6, 100))
			p.joinGroup(p.receivers...)
			p.receive(Receiver{})
			data := noise(1, 2<<20)
			s := Sender{Group: testGroup, GiveUp: 3 * time.Second}
			if kill {
				dead := p.receivers[2]
				time.AfterFunc(50*time.Millisecond, func() { dead.conn.Close() })
			}
			report, err := p.send(s, data)
			if kill {
				var incomplete *IncompleteError
				if !errors.As(err, &incomplete) || len(incomplete.Peers) != 1 || incomplete.Peers[0].Addr != p.to[2] {
					t.Errorf("the dead one is not named: %v", err)
				}
			} else if err != nil {
				t.Error(err)
			}
			for i, peer := range report.Peers {
				if i != 2 {
					slowest = max(slowest, peer.Elapsed)
					if !bytes.Equal(p.receivers[i].got.Bytes(), data) {
						t.Errorf("receiver %d: %d bytes", i, p.receivers[i].got.Len())
					}
				}
			}
			return slowest
		}
		without, with := elapsed(false), elapsed(true)
		t.Logf("with the dead one %v, without %v", with, without)
		if with > without+600*time.Millisecond {
			t.Errorf("with the dead one %v, without %v", with, without)
		}
	})
}

// TestGroupReadOnce: from a source that is read once, through a window.
func TestGroupReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 5, lossy.Delay(time.Millisecond), lossy.Loss(0.1))
		p.joinGroup(p.receivers...)
		p.receive(Receiver{})
		data := noise(1, 300_000)
		s := Sender{MSS: 100, Window: 64, Group: testGroup}
		report, err := s.Send(context.Background(), p.sender, p.to, ferry.Source{R: struct{ io.Reader }{bytes.NewReader(data)}, Size: -1})
		p.stop()
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		if report.GroupSent < 3000 {
			t.Errorf("%d packets to the group", report.GroupSent)
		}
	})
}

// TestGroupBad: an invalid group address is an error at once.
func TestGroupBad(t *testing.T) {
	for name, s := range map[string]Sender{
		"no group":  {Group: netip.MustParseAddrPort("10.0.0.1:7735")},
		"no port":   {Group: netip.MustParseAddrPort("239.1.2.3:0")},
		"lock-step": {Group: testGroup, Classic: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1)
			if _, err := p.send(s, nil); err == nil {
				t.Errorf("%s: no error", name)
			}
		})
	}
}

// A routelessConn has no way to groups.
type routelessConn struct{ net.PacketConn }

func (c routelessConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	if addr.(*net.UDPAddr).IP.IsMulticast() {
		return 0, &net.OpError{Op: "write", Net: "udp", Err: syscall.ENETUNREACH}
	}
	return c.PacketConn.WriteTo(b, addr)
}

// TestGroupNoRoute: if there is no route to the group, all receivers are served by unicast,
// and the trace gives the reason.
func TestGroupNoRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, lossy.Delay(time.Millisecond))
		p.joinGroup(p.receivers...)
		p.receive(Receiver{})
		data := noise(1, 10_000)
		failed := 0
		s := Sender{MSS: 100, Group: testGroup, Trace: &Trace{WriteFailed: func(e PacketEvent) {
			if e.Addr != testGroup || !errors.Is(e.Err, syscall.ENETUNREACH) {
				t.Errorf("e.Addr %v: %v", e.Addr, e.Err)
			}
			failed++
		}}}
		report, err := s.Send(t.Context(), routelessConn{p.sender}, p.to, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
		p.stop()
		if err != nil {
			t.Fatal(err)
		}
		p.check(data)
		if failed == 0 || report.GroupSent != 0 || report.Peers[0].Multicast {
			t.Errorf("%d failures, %+v", failed, report)
		}
	})
}

// TestGroupNonsense: neither strangers nor a receiver that tells nonsense hold up the
// others.
func TestGroupNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 4, lossy.Delay(time.Millisecond), lossy.Rate(20e6, 100))
		p.joinGroup(p.receivers...)
		liar := p.receivers[3]
		p.receivers = p.receivers[:3]
		p.receive(Receiver{})
		stranger := p.listen()
		ended := make(chan struct{})
		go func() { // it answers everything, with what cannot be
			defer close(ended)
			buf := make([]byte, 2000)
			for i := uint32(0); ; i++ {
				n, from, err := liar.conn.ReadFrom(buf)
				if err != nil {
					return
				}
				q, err := ParsePacket(buf[:n])
				if err != nil || len(q.Payload) < 12 {
					continue
				}
				s := status{session: binary.BigEndian.Uint64(q.Payload), id: 7, space: 8000, burst: 100}
				if q.Category != CategoryHello {
					s.number, s.cum = binary.BigEndian.Uint32(q.Payload[8:])+i%3, i*i*997
					s.held = bytes.Repeat([]byte{0xff}, int(i%100))
				}
				b := appendMessage(nil, CategoryReport, &s)
				liar.conn.WriteTo(b, from)
				stranger.WriteTo(b, from)
			}
		}()
		data := noise(1, 1_000_000)
		s := Sender{Group: testGroup, GiveUp: 2 * time.Second}
		report, err := s.Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
		p.stop()
		liar.conn.Close()
		stranger.Close()
		<-ended
		var incomplete *IncompleteError
		if !errors.As(err, &incomplete) || len(incomplete.Peers) != 1 || incomplete.Peers[0].Addr != p.to[3] {
			t.Errorf("%v; want the liar given up, and nobody else", err)
		}
		p.check(data)
		if report.Unsolicited == 0 || report.Unexpected == 0 {
			t.Errorf("%d foreign packets, %d bad ones", report.Unsolicited, report.Unexpected)
		}
		for i, peer := range report.Peers[:3] {
			if peer.Elapsed > 2*time.Second {
				t.Errorf("receiver %d had to wait %v", i, peer.Elapsed)
			}
		}
	})
}
