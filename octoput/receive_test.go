package octoput

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// Receive takes one file, from the first who offers one.
func TestReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		data := noise(1, 5*BlockSize+3)
		other := &hand{t: t, conn: p.listen(), to: p.to}
		s := Sender{Trace: &Trace{Received: func(e PacketEvent) {
			if e.Block == 2 {
				other.writes(open(9, Opening{Size: 1}))
				other.writes(Packet{Type: Leg, Session: 9, Flags: 1, Block: 1, Payload: []byte{0}})
			}
		}}}
		if _, err := p.send(s, data); err != nil {
			t.Fatal(err)
		}
		other.wantsCode(CodeBusy)
		p.wait() // it lingers, and ends by itself
		p.check(data)
		if r := p.report; r.Bytes != int64(len(data)) || r.Blocks != 6 || r.Size != r.Bytes || r.Name != "f" || r.Unsolicited != 2 ||
			r.Addr != p.sender.AddrPort() || r.Elapsed <= 0 || r.Elapsed > time.Second {
			t.Errorf("report %+v", r)
		}
	})
}

func TestReceiveFails(t *testing.T) {
	t.Run("the sender falls silent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t)
			p.receive(Receiver{})
			h := &hand{t: t, conn: p.sender, to: p.to}
			h.begin(7, make([]byte, 100), 3)
			h.wantsCode(CodeStopped)
			p.wait()
			if !errors.Is(p.err, ferry.ErrSilent) {
				t.Errorf("Receive: %v", p.err)
			}
		})
	})
	t.Run("the sender stops", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t)
			p.receive(Receiver{})
			ctx, cancel := stopped()
			defer cancel()
			s := Sender{Trace: &Trace{Received: func(e PacketEvent) {
				if e.Block == 2 {
					cancel()
				}
			}}}
			start := time.Now()
			_, err := s.Send(ctx, p.sender, p.to, source(make([]byte, 5*BlockSize)))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Send: %v", err)
			}
			p.wait()
			var said *RemoteError
			if !errors.As(p.err, &said) || said.Code != CodeStopped || time.Since(start) > time.Second {
				t.Errorf("Receive: %v after %v", p.err, time.Since(start))
			}
		})
	})
	t.Run("its context ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t)
			p.receive(Receiver{})
			h := &hand{t: t, conn: p.sender, to: p.to}
			h.begin(7, make([]byte, 100), 3)
			p.cancel()
			h.wantsCode(CodeStopped)
			p.wait()
			if !errors.Is(p.err, context.Canceled) {
				t.Errorf("Receive: %v", p.err)
			}
		})
	})
	t.Run("its conn is closed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t)
			p.receive(Receiver{})
			synctest.Wait()
			p.receiver.Close()
			p.wait()
			if p.err == nil {
				t.Error("Receive: no error")
			}
		})
	})
}

// Serve ends when Transfers are complete. Failed transfers do not count.
func TestServeTransfers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sinks
		p, h := newHand(t, Receiver{Transfers: 2}, &s)
		h.begin(7, make([]byte, 100), 0)
		h.writes(Packet{Type: Err, Session: 7, Payload: []byte{byte(CodeStopped)}})
		for range 2 {
			if _, err := p.send(Sender{}, noise(1, 100)); err != nil {
				t.Error(err)
			}
		}
		if _, err := p.send(Sender{}, noise(1, 100)); !errors.Is(err, ferry.ErrBusy) {
			t.Errorf("a third one: %v", err)
		}
		p.wait()
		if p.err != nil || len(s.all) != 3 {
			t.Errorf("Serve: %v after %d transfers", p.err, len(s.all))
		}
	})
}

// A sender that comes while the last one wanted is under way is not begun with.
func TestServeTransfersUnderWayCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := newHand(t, Receiver{Transfers: 1}, &sinks{})
		h.begin(7, noise(1, 8), 3)
		h.writes(open(8, Opening{Size: 8}))
		h.wantsCode(CodeBusy)
		p.stop()
	})
}
