package p2mp

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// TestTwoForOnePlace: the first of two senders to complete wins; the other is told.
func TestTwoForOnePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		s := &shelf{t: t}
		m := p.serve(Receiver{Transfers: 1}, s)
		p.write(chunk(1, "ab")) // a sender that then dies
		slow := p.listen()
		defer slow.Close()
		errs := make(chan error)
		go func() {
			_, err := (&Sender{Rate: 1e5}).Send(t.Context(), slow, p.to, ferry.Source{R: bytes.NewReader(noise(1, 50000)), Size: 50000})
			errs <- err
		}()
		pause(100 * time.Millisecond)
		quick := p.listen()
		defer quick.Close()
		if _, err := (&Sender{}).Send(t.Context(), quick, p.to, ferry.Source{R: strings.NewReader("abc"), Size: 3}); err != nil {
			t.Error(err)
		}
		if err := <-errs; !errors.Is(err, ferry.ErrBusy) {
			t.Errorf("the slow sender: %v", err)
		}
		<-m.done
		var whole int
		for _, i := range s.items {
			if i.ended == "committed" {
				whole++
			}
		}
		if m.err != nil || whole != 1 || len(s.items) != 3 {
			t.Errorf("Serve = %v with %d whole of %d", m.err, whole, len(s.items))
		}
		p.stop()
	})
}

// A conn that cannot write one answer writes the others; one that is closed ends Serve.
func TestAnswersThatCannotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		m := p.receivers[0]
		blocked := p.listen()
		defer blocked.Close()
		failed := 0
		closed := false
		conn := plainConn{m.conn, func(b []byte, to net.Addr) (int, error) {
			switch {
			case closed:
				return 0, net.ErrClosed
			case to.String() == blocked.LocalAddr().String():
				return 0, errBroken
			}
			return m.conn.WriteTo(b, to)
		}}
		r := Receiver{Trace: &Trace{WriteFailed: func(e PacketEvent) {
			if failed++; e.Addr != addrOf(blocked) || !errors.Is(e.Err, errBroken) {
				t.Errorf("e.Addr %v: %v", e.Addr, e.Err)
			}
		}}}
		m.start(func(ctx context.Context) error { return r.Serve(ctx, conn, &shelf{t: t}) })
		b, _ := chunk(1, "ab").MarshalBinary()
		third := p.listen()
		defer third.Close()
		for _, c := range []*lossy.Conn{p.sender, blocked, third} {
			c.WriteTo(b, m.conn.LocalAddr())
		}
		pause(time.Millisecond)
		if got := p.read(); got != "ACK 1" || failed != 1 {
			t.Errorf("the first drew %s, %d failures", got, failed)
		}
		third.SetReadDeadline(time.Now().Add(time.Second))
		if n, _, err := third.ReadFrom(make([]byte, 10)); n != headerLen || err != nil {
			t.Errorf("the third drew %d bytes, %v", n, err)
		}
		closed = true
		p.write(chunk(2, "cd"))
		<-m.done
		if !errors.Is(m.err, net.ErrClosed) {
			t.Errorf("Serve = %v", m.err)
		}
		p.stop()
	})
}

// A sink that takes its time, or none, or no bounds.
func TestOddHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.serve(Receiver{MaxTransfers: math.MaxInt}, ferry.HandlerFunc(func(ferry.Offer) (ferry.Sink, error) { return nil, nil }))
		_, err := (&Sender{}).Send(t.Context(), p.sender, p.to, ferry.Source{R: strings.NewReader("abc"), Size: 3})
		if a, ok := errors.AsType[*AbortError](err); !ok || a.Reason != ReasonRefused {
			t.Errorf("a handler without a sink: %v", err)
		}
		p.stop()
	})
	synctest.Test(t, func(t *testing.T) { // a disk that stands still for longer than anybody may be silent
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		s := &shelf{t: t}
		stall := 2 * DefaultReceiverGiveUp
		p.serve(Receiver{}, ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
			sink, err := s.Accept(o)
			if len(s.items) == 1 {
				sink = &stallingSink{sink, stall}
			}
			return sink, err
		}))
		other := p.listen()
		defer other.Close()
		go p.sendFrom(p.sender, noise(1, 300))
		pause(3 * time.Millisecond)
		data := noise(2, 3000)
		_, err := (&Sender{MSS: 100, Classic: true, GiveUp: time.Hour, JoinTimeout: time.Hour}).Send(t.Context(), other, p.to, ferry.Source{R: bytes.NewReader(data), Size: 3000})
		if err != nil {
			t.Errorf("the other sender: %v", err)
		}
		pause(stall)
		p.stop()
	})
}

type stallingSink struct {
	ferry.Sink
	stall time.Duration
}

func (s *stallingSink) Write(b []byte) (int, error) {
	time.Sleep(s.stall)
	s.stall = 0
	return s.Sink.Write(b)
}
