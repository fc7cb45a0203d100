package p2mp

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// A serving is one call of Receive or Serve. Its methods run in that call's
// goroutine, which alone owns all of it.
type serving struct {
	handler Handler
	trace   Trace
	giveUp  time.Duration
	linger  time.Duration
	room    int  // transfers under way at once
	wanted  int  // transfers to complete; 0: no end
	only    bool // one transfer, whatever becomes of it: Receive

	conn      *datagram.Conn
	seed      maphash.Seed
	transfers map[netip.AddrPort]*transfer // under way, and remembered
	active    int                          // those under way
	complete  int
	wake      time.Time // no transfer expires before this
	acks      []datagram.Packet
	ackBytes  []byte

	last  *transfer // the latest one: Receive's
	stray Report    // counts packets that belong to no transfer
	err   error     // why Receive's transfer failed
}

func (r *Receiver) newServing(h Handler) *serving {
	v := &serving{
		handler:   h,
		giveUp:    orDefault(r.GiveUp, DefaultReceiverGiveUp),
		linger:    max(0, orDefault(r.Linger, DefaultLinger)),
		room:      r.MaxTransfers,
		seed:      maphash.MakeSeed(),
		transfers: make(map[netip.AddrPort]*transfer),
	}
	if v.room <= 0 {
		v.room = DefaultMaxTransfers
	}
	if r.Trace != nil {
		v.trace = *r.Trace
	}
	return v
}

// serve reads packets, feeds them to the transfers and writes their
// acknowledgements, until there is nothing left to do.
func (v *serving) serve(ctx context.Context, conn net.PacketConn) error {
	v.conn = datagram.Open(ctx, conn, datagram.Config{})
	defer v.conn.Release()
	for {
		now := time.Now()
		v.expire(now)
		if v.done() {
			return v.err
		}
		packets, err := v.conn.Read(v.wake)
		now = time.Now()
		for _, p := range packets {
			v.arrived(now, p)
		}
		if err := errors.Join(v.flush(), unlessTimeout(err)); err != nil {
			return v.end(err)
		}
	}
}

func unlessTimeout(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// done reports whether all transfers that were wanted are complete, and what
// was to be remembered of them is forgotten.
func (v *serving) done() bool {
	if v.only && v.err != nil {
		return true
	}
	return v.wanted > 0 && v.complete >= v.wanted && len(v.transfers) == 0
}

// end aborts what is under way because the conn or the context ended. That is no
// error any more when all that was wanted is complete.
func (v *serving) end(err error) error {
	if v.wanted > 0 && v.complete >= v.wanted {
		return v.err
	}
	err = fmt.Errorf("p2mp: receiving: %w", err)
	for _, t := range v.transfers {
		if t.underWay() {
			v.fail(time.Now(), t, err)
		}
	}
	return err
}

// expire forgets what was remembered long enough, and gives up senders that
// have fallen silent.
func (v *serving) expire(now time.Time) {
	if v.wake.IsZero() || now.Before(v.wake) {
		return
	}
	v.wake = time.Time{}
	for from, t := range v.transfers {
		if now.Before(t.expires) {
			v.schedule(t)
			continue
		}
		if t.underWay() {
			v.fail(now, t, fmt.Errorf("%w for %v in mid-file", ErrSilent, v.giveUp))
		}
		delete(v.transfers, from)
	}
}

// schedule sees to it that expire looks at t in time.
func (v *serving) schedule(t *transfer) {
	if v.wake.IsZero() || t.expires.Before(v.wake) {
		v.wake = t.expires
	}
}

// acknowledge queues an ACK of p for flush.
func (v *serving) acknowledge(t *transfer, p Packet, again bool) {
	peer := &t.report.Peers[0]
	peer.Sent++
	if again {
		peer.SentAgain++
	}
	start := len(v.ackBytes)
	v.ackBytes, _ = Packet{Seq: p.Seq, Category: Ack}.AppendBinary(v.ackBytes)
	v.acks = append(v.acks, datagram.Packet{Data: v.ackBytes[start:], Addr: t.offer.From})
	if v.trace.Received != nil {
		v.trace.Received(t.offer.From, p.Seq, len(p.Payload), again)
	}
}

// flush writes the acknowledgements. One that cannot leave counts as lost:
// the chunk will come again.
func (v *serving) flush() error {
	for acks := v.acks; len(acks) > 0; {
		n, err := v.conn.Write(acks)
		if err == nil {
			break
		}
		if datagram.Fatal(err) {
			return err
		}
		if v.trace.WriteFailed != nil {
			v.trace.WriteFailed(acks[n].Addr, err)
		}
		acks = acks[n+1:]
	}
	v.acks, v.ackBytes = v.acks[:0], v.ackBytes[:0]
	return nil
}

// bad counts and traces a packet that was ignored. t may be nil.
func (v *serving) bad(from netip.AddrPort, t *transfer, err error) {
	r := &v.stray
	if t != nil {
		r = &t.report
	}
	if errors.Is(err, ErrForeign) {
		r.Foreign++
	} else {
		r.Bad++
	}
	if v.trace.Bad != nil {
		v.trace.Bad(from, err)
	}
}
