package p2mp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

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
		{40, 0.05, 1.9 * 1.05},
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
				t.Logf("%.3f transmissions per chunk, %d to the group, %v", per, report.GroupSent, report.Elapsed)
				if per > tt.most {
					t.Errorf("%.3f transmissions per chunk, want at most %.3f", per, tt.most)
				}
			})
		})
	}
}

// TestGroupUnreached: who does not hear the group is served all the same, and the report
// says so.
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
				if !errors.As(err, &incomplete) || len(incomplete.Peers) != 1 || incomplete.Peers[0].Peer != p.to[2] {
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
		report, err := s.Send(context.Background(), p.sender, p.to, Source{R: struct{ io.Reader }{bytes.NewReader(data)}, Size: -1})
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

// TestGroupBad: what is no group is refused at once.
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
