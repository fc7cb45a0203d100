package octoput

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

func TestSendConnFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.receive(Receiver{})
		s := Sender{Trace: &Trace{Received: func(e PacketEvent) {
			if e.Block == 2 {
				p.sender.Close()
			}
		}}}
		if _, err := p.send(s, make([]byte, 9*BlockSize)); err == nil || !strings.Contains(err.Error(), "at octoblock 3") {
			t.Errorf("Send: %v", err)
		}
		p.stop()
	})
}

// A stubborn conn refuses to send some packets.
type stubborn struct {
	net.PacketConn
	refuses func(Packet) error
}

func (c stubborn) WriteTo(b []byte, to net.Addr) (int, error) {
	if p, err := ParsePacket(b); err == nil {
		if err := c.refuses(p); err != nil {
			return 0, err
		}
	}
	return c.PacketConn.WriteTo(b, to)
}

// An acknowledgement that cannot leave is lost, and holds up no other.
func TestReceiverAcknowledgementCannotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		acks := 0
		conn := stubborn{p.receiver, func(Packet) error {
			if acks++; acks == 2 {
				return syscall.EPERM
			}
			return nil
		}}
		p.start(func(ctx context.Context) error { return (&Receiver{}).Serve(ctx, conn, &sinks{}) })
		h := &hand{t: t, conn: p.sender, to: p.to}
		h.begin(7, noise(1, 8), 0)
		h.writes(open(7, Opening{Size: 8, Name: "f"})) // said twice, and the first cannot leave
		h.wants(Ack, 0, AllLegs)
		h.wantsNothing()
		p.stop()
	})
}

// An octoleg that cannot leave is lost, and holds up no other.
func TestSendOctolegCannotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		conn := stubborn{p.sender, func(q Packet) error {
			if q.Type == Leg && q.Flags == Nth(1) {
				return syscall.EPERM
			}
			return nil
		}}
		p.start(func(ctx context.Context) error {
			_, err := (&Sender{}).Send(ctx, conn, p.to, source(noise(1, 8)))
			return err
		})
		h := &hand{t: t, conn: p.receiver, to: p.sender.AddrPort()}
		o := h.wants(Open, 0, 0)
		h.writes(Packet{Type: Ack, Flags: AllLegs, Session: o.Session})
		for n := 2; n <= LegsPerBlock; n++ {
			h.wants(Leg, 1, Nth(n))
		}
		p.stop()
		if !errors.Is(p.err, context.Canceled) {
			t.Errorf("Send: %v", p.err)
		}
	})
}

// What explains a receiver's silence is in the error.
func TestSendNothingCanLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		conn := stubborn{p.sender, func(Packet) error { return syscall.EPERM }}
		_, err := (&Sender{}).Send(context.Background(), conn, p.to, source(nil))
		if !errors.Is(err, ferry.ErrNoAnswer) || !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), syscall.EPERM.Error()) {
			t.Errorf("Send: %v", err)
		}
		p.stop()
	})
}

// Octolegs that are too long for the way end the transfer at once, and both sides know
// why.
func TestSendTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		conn := stubborn{p.sender, func(q Packet) error {
			if len(q.Payload) > 1000 {
				return syscall.EMSGSIZE
			}
			return nil
		}}
		start := time.Now()
		_, err := (&Sender{}).Send(context.Background(), conn, p.to, source(noise(1, BlockSize)))
		p.wait()
		var said *RemoteError
		if !errors.Is(err, syscall.EMSGSIZE) || !errors.As(p.err, &said) || time.Since(start) > time.Second {
			t.Errorf("Send: %v; Receive: %v; after %v", err, p.err, time.Since(start))
		}
	})
}

// A context's cause that looks like a deadline ends a call as any other does.
func TestCauseIsNoTimeout(t *testing.T) {
	budget := fmt.Errorf("budget: %w", os.ErrDeadlineExceeded)
	for name, serve := range map[string]func(context.Context, net.PacketConn) error{
		"Sender": func(ctx context.Context, c net.PacketConn) error {
			return (&Sender{}).Serve(ctx, c, ferry.FS(fstest.MapFS{}))
		},
		"Receiver": func(ctx context.Context, c net.PacketConn) error { return (&Receiver{}).Serve(ctx, c, &sinks{}) },
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t)
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(time.Second, func() { cancel(budget) })
			if err := serve(ctx, p.receiver); !errors.Is(err, budget) {
				t.Errorf("%s: %v, want %v", name, err, budget)
			}
			p.stop()
		})
	}
}
