package octoput

import (
	"errors"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
	"github.com/ferrygo/ferry/internal/rtt"
)

// A question is the OPEN by which Get asks for a file. It is repeated until octolegs,
// or a FIN, show that the server has the acknowledgement of its answer.
type question struct {
	to       netip.AddrPort
	session  uint32
	name     string
	packet   []byte
	rtt      rtt.Estimator
	start    time.Time
	due      time.Time
	deadline time.Time
	tries    uint64
	patience time.Duration
	unsent   error
	busy     *RemoteError // the server said so; nil if it did not
}

// newQuestion makes v ask for a file, and take no other.
func (v *recvCall) newQuestion(now time.Time, to netip.AddrPort, name string, patience time.Duration) error {
	q := &question{
		to: to, session: newSession(), name: name,
		start: now, due: now, deadline: now.Add(patience), patience: patience,
	}
	payload, err := Opening{Name: name}.MarshalBinary()
	if err != nil {
		return err
	}
	q.packet, err = Packet{Type: Open, Flags: ask, Session: q.session, Payload: payload}.MarshalBinary()
	v.question, v.wake = q, now
	return err
}

// ask sends the question when it is due. It returns an error of the conn, or that the
// server does not answer.
func (v *recvCall) ask(now time.Time) error {
	q := v.question
	switch {
	case q == nil:
		return nil
	case v.last == nil && !now.Before(q.deadline):
		if q.busy != nil {
			return &PeerError{Addr: q.to, Err: q.busy}
		}
		e := &PeerError{Addr: q.to, Silence: q.patience, Err: ferry.ErrNoAnswer}
		if q.unsent != nil {
			e.Err = errors.Join(ferry.ErrNoAnswer, q.unsent)
		}
		return e
	case now.Before(q.due):
		v.schedule(q.due)
		return nil
	}
	if q.tries > 0 {
		q.rtt.TimedOut()
	}
	q.tries++
	q.due = now.Add(q.rtt.RTO())
	v.schedule(q.due)
	if v.last == nil {
		v.schedule(q.deadline)
	}
	sent := true
	err := datagram.Send(v.conn, []datagram.Packet{{Data: q.packet, Addr: q.to}}, func(_ int, err error) {
		sent, q.unsent = false, &writeError{err}
		if v.trace.WriteFailed != nil {
			v.trace.WriteFailed(PacketEvent{Addr: q.to, Err: err})
		}
	})
	if err != nil || !sent {
		return err
	}
	if v.trace.Sent != nil {
		v.trace.Sent(PacketEvent{Addr: q.to, Session: q.session, Type: Open, Flags: ask, Again: q.tries > 1})
	}
	return nil
}

// answered ends the asking: the server sends.
func (v *recvCall) answered() { v.question = nil }
