package octoput

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// A transfer without losses sends every octoleg once, and draws one acknowledgement for
// each octoblock.
func TestSendWithoutLossSendsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		data := noise(1, 100*BlockSize+13)
		report, err := p.send(Sender{}, data)
		if err != nil {
			t.Fatal(err)
		}
		p.wait()
		p.check(data)
		if want := uint64(102*8 + 2); report.Sent != want || report.Retransmitted != 0 || report.Timeouts != 0 || report.Duplicates != 0 || report.RTT != 2*time.Millisecond {
			t.Errorf("report %+v, want %d packets sent", report, want)
		}
		if p.report.Sent != 104 || p.report.Retransmitted != 0 || p.report.Duplicates != 0 {
			t.Errorf("the receiver's report %+v, want 104 packets sent", p.report)
		}
	})
}

func TestSendToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		start := time.Now()
		nobody := netip.MustParseAddrPort("10.0.0.9:8888")
		report, err := (&Sender{}).Send(context.Background(), p.sender, nobody, source(make([]byte, 9)))
		var failed *PeerError
		if !errors.As(err, &failed) || !errors.Is(err, ferry.ErrNoAnswer) || err.Error() != "octoput: 10.0.0.9:8888: no answer in 5s" {
			t.Errorf("Send: %v", err)
		}
		if took := time.Since(start); took != 5*time.Second || report.Elapsed != took {
			t.Errorf("it took %v, reported %v", took, report.Elapsed)
		}
		// 100 ms, doubled up to a second: a few small packets (RFC 8085, section 3.1.1).
		if report.Sent > 10 || report.Bytes != 0 {
			t.Errorf("report %+v", report)
		}
		p.stop()
	})
}

// A receiver that vanishes is named, with the octoblock that it lacks.
func TestSendReceiverVanishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := false
		p := newPair(t, lossy.Delay(time.Millisecond), lossy.DropIf(func(lossy.Packet) bool { return gone }))
		p.receive(Receiver{})
		s := Sender{Trace: &Trace{Received: func(e PacketEvent) { gone = gone || e.Block == 3 }}}
		report, err := p.send(s, make([]byte, 9*BlockSize))
		var failed *PeerError
		if !errors.As(err, &failed) || !errors.Is(err, ferry.ErrSilent) || failed.Block != 4 || failed.Addr != p.to || failed.Silence != DefaultGiveUp {
			t.Errorf("Send: %v", err)
		}
		if want := "octoput: 10.0.0.2:8888: silent for 10s at octoblock 4"; err.Error() != want {
			t.Errorf("Send: %v, want %s", err, want)
		}
		if report.Blocks != 3 || report.Bytes != 3*BlockSize {
			t.Errorf("report %+v", report)
		}
		p.stop()
	})
}

// A FIN that is never acknowledged is "sent, not confirmed".
func TestSendUnconfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, lossy.Delay(time.Millisecond), lossy.DropIf(func(lp lossy.Packet) bool {
			q, err := ParsePacket(lp.Payload)
			return err == nil && q.Type == Ack && q.Block == 2
		}))
		p.receive(Receiver{})
		data := noise(1, BlockSize)
		_, err := p.send(Sender{}, data)
		if !errors.Is(err, ferry.ErrUnconfirmed) || errors.Is(err, ferry.ErrSilent) || err.Error() != "octoput: 10.0.0.2:8888: sent, not confirmed" {
			t.Errorf("Send: %v", err)
		}
		p.wait()
		p.check(data) // and yet it is there
	})
}

// When only the first acknowledgements of the FIN are lost, a repeated FIN draws another.
func TestSendLastAcknowledgementLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := 0
		p := newPair(t, lossy.Delay(time.Millisecond), lossy.DropIf(func(lp lossy.Packet) bool {
			q, err := ParsePacket(lp.Payload)
			drop := err == nil && q.Type == Ack && q.Block == 2 && lost < 3
			if drop {
				lost++
			}
			return drop
		}))
		p.receive(Receiver{})
		data := noise(1, BlockSize)
		if _, err := p.send(Sender{}, data); err != nil || lost != 3 {
			t.Errorf("Send: %v, %d acknowledgements lost", err, lost)
		}
		p.wait()
		p.check(data)
	})
}

// A receiver that restarts does not know the transfer: the sender says so at once, and
// the file is not there.
func TestSendReceiverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root, dir := openRoot(t)
		p := newPair(t, lossy.Delay(time.Millisecond))
		p.serve(Receiver{}, &ferry.Dir{Root: root})
		restarted := false
		s := Sender{Trace: &Trace{Sent: func(e PacketEvent) {
			if e.Block == 3 && !restarted {
				restarted = true
				p.receiver.Close() // so that it says nothing when it goes
				<-p.done
				var err error
				if p.receiver, err = p.net.NewConn(p.to); err != nil {
					t.Error(err)
				}
				p.serve(Receiver{}, &ferry.Dir{Root: root})
			}
		}}}
		start := time.Now()
		_, err := p.send(s, noise(1, 5*BlockSize))
		if !errors.Is(err, ferry.ErrRestarted) || time.Since(start) > time.Second {
			t.Errorf("Send: %v after %v", err, time.Since(start))
		}
		if want := "octoput: 10.0.0.2:8888: ended at octoblock 3: unknown session"; err == nil || err.Error() != want {
			t.Errorf("Send: %v, want %s", err, want)
		}
		p.stop()
		if left := names(t, dir); len(left) != 0 {
			t.Errorf("files %q are left", left)
		}
	})
}

// A restarted receiver answers a FIN with an ERR. The sender then reports
// ferry.ErrUnconfirmed, because the file may be complete.
func TestSendForgottenAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		h := &hand{t: t, conn: p.receiver, to: p.sender.AddrPort()}
		var err error
		p.start(func(context.Context) error {
			_, err = p.send(Sender{}, nil)
			return nil
		})
		q := h.wants(Open, 0, 0)
		h.writes(Packet{Type: Ack, Flags: AllLegs, Session: q.Session})
		h.wants(Fin, 1, 0)
		h.writes(Packet{Type: Err, Session: q.Session, Block: 1, Payload: []byte{byte(CodeUnknown)}})
		p.wait()
		if !errors.Is(err, ferry.ErrUnconfirmed) {
			t.Errorf("Send: %v", err)
		}
	})
}

// A sender ignores packets that only a sender sends, and packets of other transfers. It
// answers none of them.
func TestSenderIgnores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		h := &hand{t: t, conn: p.receiver, to: p.sender.AddrPort()}
		stranger := &hand{t: t, conn: p.listen(), to: h.to}
		var report Report
		var err error
		p.start(func(context.Context) error {
			report, err = p.send(Sender{Timeout: time.Hour}, make([]byte, 8))
			return nil
		})
		q := h.wants(Open, 0, 0)
		for _, b := range badPackets {
			h.writes(b.p)
		}
		for _, o := range []Packet{
			{Type: Open, Session: q.Session, Payload: q.Payload},
			{Type: Open, Flags: ask, Session: 1, Payload: make([]byte, 12)}, // no server, either
			{Type: Leg, Flags: 1, Session: q.Session, Block: 1, Payload: []byte{0}},
			{Type: Fin, Session: q.Session, Block: 1, Payload: make([]byte, 32)},
			{Type: Ack, Flags: 1, Session: q.Session},                 // a part of an OPEN
			{Type: Ack, Flags: AllLegs, Session: q.Session, Block: 1}, // from the future
			{Type: Ack, Flags: AllLegs, Session: q.Session ^ 1},       // of another session
			{Type: Err, Session: q.Session ^ 1, Payload: []byte{1}},   // likewise
			{Type: Ack, Flags: AllLegs, Session: q.Session, Block: 1<<64 - 1},
		} {
			h.writes(o)
		}
		stranger.writes(Packet{Type: Ack, Flags: AllLegs, Session: q.Session})
		stranger.writes(Packet{Type: Err, Session: q.Session, Payload: []byte{1}})
		h.wantsNothing()
		h.writes(Packet{Type: Ack, Flags: AllLegs, Session: q.Session})
		for n := range LegsPerBlock {
			h.wants(Leg, 1, Nth(n+1))
		}
		for n := range LegsPerBlock { // our own, come back
			h.writes(Packet{Type: Leg, Flags: Nth(n + 1), Session: q.Session, Block: 1, Payload: []byte{0}})
		}
		h.wantsNothing()
		h.writes(Packet{Type: Ack, Flags: AllLegs, Session: q.Session, Block: 1})
		h.wants(Fin, 2, 0)
		h.writes(Packet{Type: Ack, Flags: AllLegs, Session: q.Session, Block: 2})
		p.wait()
		if want := uint64(len(badPackets)) + 17; err != nil || report.Unexpected != want || report.Unsolicited != 2 {
			t.Errorf("Send: %v, %d bad, want %d, %d foreign, want 2", err, report.Unexpected, want, report.Unsolicited)
		}
		stranger.conn.Close()
	})
}
