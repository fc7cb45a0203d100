package p2mp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"
	"time"

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
		report, err := s.Send(ctx, p.sender, p.to, Source{R: bytes.NewReader(data), Size: int64(len(data))})
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

// TestGroupLongJoin: who has joined waits as long as the sender does for others.
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

// TestGroupNoJoin: who answers an invitation with what is no answer takes no part.
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
		if err != nil || len(report.Peers) != 2 || report.Foreign == 0 {
			t.Errorf("%d receivers, %d foreign packets, %v", len(report.Peers), report.Foreign, err)
		}
		p.check(data)
	})
}

// TestGroupBystander: who hears a group and takes no part says so now and then, and not
// at each poll.
func TestGroupBystander(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, lossy.Delay(time.Millisecond), lossy.Rate(10e6, 100))
		p.joinGroup(p.receivers...)
		p.receive(Receiver{})
		p.to = p.to[:2]
		data := noise(1, 2_000_000)
		report, err := p.send(Sender{MSS: 1000, Group: testGroup}, data)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d packets to the group in %v, %d foreign ones", report.GroupSent, report.Elapsed, report.Foreign)
		if most := uint64(report.Elapsed/refuseSpacing) + 1; report.Foreign == 0 || report.Foreign > most {
			t.Errorf("%d packets of the bystander in %v, want 1 to %d", report.Foreign, report.Elapsed, most)
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
		_, err, _ := p.sendFor(t, time.Minute, p.sender, Sender{Group: testGroup}, Source{R: bytes.NewBuffer(bytes.Clone(data)), Size: -1})
		p.stop()
		if err != nil {
			t.Error(err)
		}
		p.check(data)
	})
}
