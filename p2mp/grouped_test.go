package p2mp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// missesChunks has no chunk arrive at a member; all else does.
func (m *member) missesChunks() {
	m.conn = lossy.Wrap(m.conn, lossy.Ingress(lossy.DropIf(func(p lossy.Packet) bool {
		return len(p.Payload) >= headerLen && binary.BigEndian.Uint16(p.Payload[6:]) == uint16(CategoryData)
	})))
}

// TestGroupDeaf: members to whom polls come and no chunks are given up, and the others
// have the file by then.
func TestGroupDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 4, lossy.Delay(time.Millisecond), lossy.Rate(10e6, 100))
		p.joinGroup(p.receivers...)
		p.receivers[0].missesChunks()
		p.receivers[1].missesChunks()
		p.receive(Receiver{})
		data := noise(1, 20_000)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		s := Sender{MSS: 1000, Group: testGroup, GiveUp: 3 * time.Second}
		report, err := s.Send(ctx, p.sender, p.to, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))})
		p.stop()
		var incomplete *IncompleteError
		if !errors.As(err, &incomplete) || !errors.Is(err, ErrStalled) || len(incomplete.Peers) != 2 {
			t.Fatal(err)
		}
		for i, m := range p.receivers[2:] {
			if !bytes.Equal(m.got.Bytes(), data) || report.Peers[i+2].Elapsed > time.Second {
				t.Errorf("receiver %d has %d bytes after %v", i+2, m.got.Len(), report.Peers[i+2].Elapsed)
			}
		}
	})
}

// TestGroupLongJoin: receivers that have joined wait until the join time of the sender ends.
func TestGroupLongJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, lossy.Delay(time.Millisecond))
		p.joinGroup(p.receivers...)
		p.receive(Receiver{GiveUp: 2 * time.Second})
		p.to = nil
		data := noise(1, 10_000)
		if _, err := p.send(Sender{Group: testGroup, JoinTimeout: 5 * time.Second}, data); err != nil {
			t.Error(err)
		}
		p.check(data)
	})
}

// TestGroupNoJoin: an address that answers an invitation with other packets does not join.
func TestGroupNoJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, lossy.Delay(time.Millisecond))
		p.joinGroup(p.receivers...)
		liar := p.receivers[2].conn
		p.receivers = p.receivers[:2]
		p.receive(Receiver{})
		p.to = nil
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			buf := make([]byte, 2000)
			for i := uint32(0); ; i++ {
				n, from, err := liar.ReadFrom(buf)
				if err != nil {
					return
				}
				q, err := ParsePacket(buf[:n])
				if err != nil || q.Category != CategoryHello {
					continue
				}
				s := status{session: binary.BigEndian.Uint64(q.Payload), id: 7, space: i % 2, cum: i, number: i % 3, burst: 100}
				liar.WriteTo(appendMessage(nil, CategoryReport, &s), from)
			}
		}()
		data := noise(1, 10_000)
		report, err := p.send(Sender{Group: testGroup, JoinTimeout: 2 * time.Second, Policy: Fail}, data)
		liar.Close()
		<-ended
		if err != nil || len(report.Peers) != 2 || report.Unsolicited == 0 {
			t.Errorf("%d receivers, %d foreign packets, %v", len(report.Peers), report.Unsolicited, err)
		}
		p.check(data)
	})
}

// TestWelcome: whose answer to an invitation makes a receiver of it, and when.
func TestWelcome(t *testing.T) {
	from := netip.MustParseAddrPort("10.0.0.9:7735")
	once := ferry.Source{R: bytes.NewBufferString("x"), Size: 1}
	again := ferry.Source{R: strings.NewReader("x"), Size: 1}
	for _, tt := range []struct {
		name   string
		src    ferry.Source
		to     []netip.AddrPort
		change func(*sending, *status)
		want   bool
	}{
		{"in time", again, nil, nil, true},
		{"in time, read once", once, nil, nil, true},
		{"late", again, nil, func(t *sending, _ *status) { t.invitation.until = t.start }, true},
		{"late, read once", once, nil, func(t *sending, _ *status) { t.invitation.until = t.start }, false},
		{"there is a list", again, []netip.AddrPort{testGroup}, nil, false},
		{"of another session", again, nil, func(_ *sending, s *status) { s.session++ }, false},
		{"too many", again, nil, func(t *sending, _ *status) { t.peers = make([]peer, maxApplicants) }, false},
		{"one less", again, nil, func(t *sending, _ *status) { t.peers = make([]peer, maxApplicants-1) }, true},
	} {
		u, err := (&Sender{Group: testGroup}).newSending(tt.to, tt.src)
		if err != nil {
			t.Fatal(err)
		}
		s := status{session: u.session, id: 1, space: 10, burst: 10}
		if tt.change != nil {
			tt.change(u, &s)
		}
		answer := func() (joins bool) {
			b := appendMessage(nil, CategoryReport, &s)
			p, err := ParsePacket(b)
			if err != nil {
				t.Fatal(err)
			}
			joins, _ = u.invited(time.Now(), from, p, len(b))
			return joins
		}
		peers := len(u.peers)
		if answer() || len(u.peers) != peers {
			t.Errorf("%s: a receiver before it has answered a POLL", tt.name)
		}
		if a := u.invitation.applicants[from]; a != nil {
			s.number = a.number + 1
			if answer() {
				t.Errorf("%s: a receiver by guessing", tt.name)
			}
			s.number--
		}
		if got := answer(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestInvite: how often the group is invited, in time and later.
func TestInvite(t *testing.T) {
	u, err := (&Sender{Group: testGroup, JoinTimeout: 600 * time.Millisecond}).newSending(nil, ferry.Source{R: strings.NewReader("x"), Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	u.peers = make([]peer, 1)
	var sent []int64 // milliseconds
	for now := u.start; len(sent) < 7; {
		before := len(u.out)
		wake, err := u.invite(now)
		if err != nil || !wake.After(now) {
			t.Fatalf("wake %v, %v", wake.Sub(now), err)
		}
		if len(u.out) > before {
			sent = append(sent, now.Sub(u.start).Milliseconds())
		}
		if now = wake; u.inviting() && now.Sub(u.start) > 600*time.Millisecond {
			t.Fatalf("goes on inviting after %v", now.Sub(u.start))
		}
	}
	if got := fmt.Sprint(sent); got != "[0 100 300 550 1600 2600 3600]" {
		t.Errorf("invited after %s milliseconds", got)
	}
}

// TestGroupOutage: the group continues after an outage of all members.
func TestGroupOutage(t *testing.T) {
	for _, d := range []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, 3 * time.Second}[:2+1/thorough()] {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			p := newParty(t, 8, lossy.Delay(time.Millisecond), lossy.Rate(100e6, 200), lossy.DropIf(func(lossy.Packet) bool {
				after := time.Since(start) - 300*time.Millisecond
				return after > 0 && after < d
			}))
			p.joinGroup(p.receivers...)
			p.receive(Receiver{})
			data := noise(1, 8<<20)
			report, err := p.send(Sender{Group: testGroup}, data)
			if err != nil {
				t.Fatal(err)
			}
			p.check(data)
			var alone uint64
			for _, peer := range report.Peers {
				alone += peer.Sent
			}
			t.Logf("outage of %v: %d packets to the group, %d to one alone, %v", d, report.GroupSent, alone, report.Elapsed)
			if alone > 100 || report.GroupSent > 8000 || report.Elapsed > d+2*time.Second {
				t.Errorf("outage of %v: %d packets to the group, %d to one alone, %v", d, report.GroupSent, alone, report.Elapsed)
			}
		})
	}
}

// TestGroupPollLost: if the only packet that is due is a poll and it is lost, it is soon
// repeated.
func TestGroupPollLost(t *testing.T) {
	data := noise(1, 200*DefaultMSS)
	for _, tt := range []struct {
		name     string
		receiver Receiver
		last     uint32 // the chunk behind which the poll is lost
	}{
		{"a window is full", Receiver{Window: 50}, 100},
		{"all has been sent", Receiver{}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent, lost := false, 0
				p := newParty(t, 3, lossy.Delay(time.Millisecond), lossy.DropIf(func(p lossy.Packet) bool {
					c := Category(binary.BigEndian.Uint16(p.Payload[6:]))
					sent = sent || c == CategoryData && binary.BigEndian.Uint32(p.Payload) == tt.last
					if c != CategoryPoll || !sent || lost == 3 { // by each member
						return false
					}
					lost++
					return true
				}))
				p.joinGroup(p.receivers...)
				p.receive(tt.receiver)
				report, err := p.send(Sender{Group: testGroup}, data)
				if err != nil {
					t.Fatal(err)
				}
				p.check(data)
				if lost != 3 || report.Elapsed > 500*time.Millisecond {
					t.Errorf("%v, with %d polls lost", report.Elapsed, lost)
				}
			})
		})
	}
}

// TestGroupGone: where all members are gone they are given up, when it is time for that.
func TestGroupGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, lossy.Delay(time.Millisecond), lossy.Rate(10e6, 100))
		p.joinGroup(p.receivers...)
		p.receive(Receiver{})
		time.AfterFunc(500*time.Millisecond, func() {
			for _, m := range p.receivers {
				m.conn.Close()
			}
		})
		report, err := p.send(Sender{Group: testGroup, GiveUp: 3 * time.Second}, noise(1, 2<<20))
		var incomplete *IncompleteError
		if !errors.As(err, &incomplete) || !errors.Is(err, ferry.ErrSilent) || len(incomplete.Peers) != 3 || report.Elapsed > 3600*time.Millisecond {
			t.Errorf("after %v: %v", report.Elapsed, err)
		}
	})
}

// TestGroupBystander: who hears a group and takes no part says so now and then, and not
// at each poll.
func TestGroupBystander(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, lossy.Delay(time.Millisecond), lossy.Rate(100e6, 200))
		p.joinGroup(p.receivers...)
		p.receive(Receiver{})
		p.to = p.to[:2]
		data := noise(1, 8<<20)
		report, err := p.send(Sender{MSS: 1000, Group: testGroup}, data)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d packets to the group in %v, %d foreign ones", report.GroupSent, report.Elapsed, report.Unsolicited)
		if most := uint64(report.Elapsed/refuseSpacing) + 1; report.Unsolicited == 0 || report.Unsolicited > most {
			t.Errorf("%d packets of the bystander in %v, want 1 to %d", report.Unsolicited, report.Elapsed, most)
		}
	})
}

// TestGroupInvitesReadOnce: a source that is read once is sent, too, when the time for
// joining is over, though nothing arrives then.
func TestGroupInvitesReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, lossy.Delay(time.Millisecond))
		p.joinGroup(p.receivers...)
		p.receive(Receiver{})
		p.to = nil
		data := noise(1, 10_000)
		_, err, _ := p.sendFor(t, time.Minute, p.sender, Sender{Group: testGroup}, ferry.Source{R: bytes.NewBuffer(bytes.Clone(data)), Size: -1})
		p.stop()
		if err != nil {
			t.Error(err)
		}
		p.check(data)
	})
}

// TestGroupAsked: members far away, many of them, and one that hears only the third poll,
// are all found to be reached; and it takes no longer than it must.
func TestGroupAsked(t *testing.T) {
	for _, tt := range []struct {
		members  int
		delay    time.Duration
		unheard  int // polls, by the first member
		deadline time.Duration
	}{
		{2, 300 * time.Millisecond, 0, 9 * time.Second},
		{40, time.Millisecond, 0, 90 * time.Millisecond},
		{3, time.Millisecond, 2, time.Second},
		{3, 40 * time.Millisecond, 2, 2500 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, tt.members, lossy.Delay(tt.delay))
			p.joinGroup(p.receivers...)
			unheard := tt.unheard
			first := p.receivers[0]
			first.conn = lossy.Wrap(first.conn, lossy.Ingress(lossy.DropIf(func(p lossy.Packet) bool {
				if len(p.Payload) < headerLen || binary.BigEndian.Uint16(p.Payload[6:]) != uint16(CategoryPoll) || unheard == 0 {
					return false
				}
				unheard--
				return true
			})))
			p.receive(Receiver{})
			data := noise(1, 100_000) // a window for two parts of members
			report, err := p.send(Sender{MSS: 100, Group: testGroup}, data)
			if err != nil {
				t.Fatal(err)
			}
			p.check(data)
			for i, peer := range report.Peers {
				if !peer.Multicast {
					t.Errorf("%+v: the group does not reach member %d", tt, i)
				}
			}
			if report.Elapsed > tt.deadline {
				t.Errorf("%+v: %v", tt, report.Elapsed)
			}
		})
	}
}

// A tricklingReader yields a little at a time.
type tricklingReader struct{ io.Reader }

func (r tricklingReader) Read(b []byte) (int, error) {
	time.Sleep(10 * time.Millisecond) // of the bubble's time
	return r.Reader.Read(b[:min(len(b), 2000)])
}

// TestGroupMinRateLimited: no member is too slow if the source or Sender.Rate limits the
// rate.
func TestGroupMinRateLimited(t *testing.T) {
	data := noise(1, 2<<20)
	for name, tt := range map[string]struct {
		sender Sender
		source ferry.Source
	}{
		"source": {Sender{Group: testGroup, MinRate: 10e6}, ferry.Source{R: tricklingReader{bytes.NewReader(data)}, Size: -1}},
		"rate":   {Sender{Group: testGroup, MinRate: 10e6, Rate: 2e6}, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data))}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t, 3, lossy.Delay(5*time.Millisecond), lossy.Rate(100e6, 100))
				p.joinGroup(p.receivers...)
				p.receive(Receiver{})
				report, err, _ := p.sendFor(t, time.Hour, p.sender, tt.sender, tt.source)
				p.stop()
				if err != nil {
					t.Errorf("after %v: %v", report.Elapsed, err)
				}
				p.check(data)
			})
		})
	}
}

// TestToldAgain: a receiver that was given up and still answers is told so.
func TestToldAgain(t *testing.T) {
	to := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.9:7735")}
	u, err := (&Sender{Group: testGroup}).newSending(to, ferry.Source{R: strings.NewReader("x"), Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []State{Complete, Dropped} {
		u.peers[0].stage, u.report.Peers[0].State = over, state
		if err := u.reported(u.start, 0, &status{session: u.session}); err != nil {
			t.Fatal(err)
		}
		if told := len(u.out) > 0; told != (state == Dropped) {
			t.Errorf("%v: told %v", state, told)
		}
	}
}

// TestGroupPoll: what a poll to the group asks, and of whom.
func TestGroupPoll(t *testing.T) {
	u, err := (&Sender{Group: testGroup}).newSending(nil, ferry.Source{R: strings.NewReader("x"), Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	const members = 40 // in two parts
	c := &u.crowd
	c.next, c.number = 7, 3
	u.peers = make([]peer, members)
	for i := range u.peers {
		u.peers[i].id = uint32(i)
		u.peers[i].flight.begin(u.start, 0, maxWindow, 64, time.Millisecond)
		c.members = append(c.members, i)
	}
	u.peers[1].flight.lastPoll = 9 // reminded
	for n := range uint32(2) {
		u.pollCrowd(u.start)
		p, err := ParsePacket(u.out[n].Data)
		if err != nil {
			t.Fatal(err)
		}
		q, err := parsePoll(p.Payload)
		if err != nil || q.number != 10+n || q.highest != 6 || q.modulus != 2 || q.remainder != uint16(1-n) || u.out[n].Addr != testGroup {
			t.Errorf("%+v to %v, %v", q, u.out[n].Addr, err)
		}
		for i := range u.peers {
			if asked := u.peers[i].flight.lastPoll == 10+n; asked != (uint16(i%2) == q.remainder) {
				t.Errorf("poll %d: member %d is asked: %v", q.number, i, asked)
			}
		}
		if c.rounds[q.number].want != members/2 {
			t.Errorf("poll %d: %d answers are waited for", q.number, c.rounds[q.number].want)
		}
	}
}
