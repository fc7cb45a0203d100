package octoput

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// A key tells one transfer from all others: by session and address.
type key struct {
	peer    netip.AddrPort
	session uint32
}

// A dispatch is one call of Send or Serve. Its methods run in that call's
// goroutine, which alone owns all of it.
type sendCall struct {
	sender *Sender
	trace  Trace
	conn   *datagram.Conn

	only          *sendTransfer // Send's
	ctx           context.Context
	files         ferry.Opener // Serve's
	maxTransfers  int
	maxPerAddress int
	transfers     map[key]*sendTransfer
	wake          time.Time // nothing is due before this

	batch        []datagram.Packet
	errPacket    []byte
	bad, foreign uint64 // packets that belong to no delivery
	err          error  // how Send ended
}

func (s *Sender) newSendCall() *sendCall {
	v := &sendCall{sender: s, maxTransfers: maxTransfers(s.MaxTransfers), transfers: make(map[key]*sendTransfer)}
	v.maxPerAddress = maxPerAddress(s.MaxPerAddress, v.maxTransfers)
	if s.Trace != nil {
		v.trace = *s.Trace
	}
	return v
}

// run sends what is due, reads what arrives and feeds it to the deliveries, until there
// is nothing left to do.
func (v *sendCall) run(ctx context.Context, conn net.PacketConn, now time.Time) error {
	v.conn = datagram.Open(ctx, conn, datagram.Config{ReadSize: maxPacket, Local: v.only == nil, NoOffload: v.sender.NoOffload, Spin: spinTime})
	defer v.conn.Release()
	v.ctx = ctx
	if v.only != nil {
		if err := v.admit(now, v.only); err != nil {
			return v.end(err)
		}
	}
	for {
		if err := v.tick(now); err != nil {
			return v.end(err)
		}
		if v.done() {
			return v.err
		}
		packets, err := v.conn.Read(v.wake)
		now = time.Now()
		for _, p := range packets {
			if err := v.arrived(now, p); err != nil {
				return v.end(err)
			}
			if v.done() {
				return v.err
			}
		}
		if ctx.Err() != nil {
			return v.end(context.Cause(ctx))
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return v.end(err)
		}
	}
}

// done reports whether Send's delivery has ended.
func (v *sendCall) done() bool { return v.only != nil && len(v.transfers) == 0 }

// admit takes up a delivery.
func (v *sendCall) admit(now time.Time, d *sendTransfer) error {
	v.transfers[key{d.peer, d.session}] = d
	if err := d.load(); err != nil {
		v.fail(now, d, err)
		return nil
	}
	return v.step(now, d)
}

// tick lets the deliveries do what is due.
func (v *sendCall) tick(now time.Time) error {
	if v.wake.IsZero() || now.Before(v.wake) {
		return nil
	}
	v.wake = time.Time{}
	for _, d := range v.transfers {
		if err := v.step(now, d); err != nil {
			return err
		}
	}
	return nil
}

// step does what sendState asks for, and sees to it that tick looks again in time.
func (v *sendCall) step(now time.Time, d *sendTransfer) error {
	s, wake, given := d.next(now)
	if given {
		v.finish(now, d, d.given(d.busy))
		return nil
	}
	if v.wake.IsZero() || wake.Before(v.wake) {
		v.wake = wake
	}
	if s.kind == 0 {
		return nil
	}
	err := v.send(now, d, s)
	d.digest()
	return err
}

// arrived takes one packet from the conn. An error is the conn's.
func (v *sendCall) arrived(now time.Time, pkt datagram.Packet) error {
	p, err := ParsePacket(pkt.Data)
	if err != nil {
		v.ignored(pkt.Addr, nil, err)
		return nil
	}
	if p.Type == Open && p.Flags == ask && v.files != nil {
		return v.asked(now, pkt, p)
	}
	d := v.transfers[key{pkt.Addr, p.Session}]
	switch {
	case p.Type != Ack && p.Type != Err:
		v.ignored(pkt.Addr, d, ErrType) // this is the side that sends these
	case d == nil:
		v.ignored(pkt.Addr, nil, v.stranger(pkt.Addr))
	case p.Type == Err:
		v.refused(now, d, p)
	default:
		return v.acked(now, d, p)
	}
	return nil
}

// stranger says what is wrong with a packet of no delivery.
func (v *sendCall) stranger(from netip.AddrPort) error {
	if v.only != nil && v.only.peer != from {
		return ferry.ErrUnsolicited
	}
	return ErrSession
}

// refused ends the delivery, because the receiver says so.
func (v *sendCall) refused(now time.Time, d *sendTransfer, p Packet) {
	v.received(d, PacketEvent{Type: Err, Block: p.Block, Before: d.held, After: d.held})
	said := &RemoteError{Addr: d.peer, Code: Code(p.Payload[0])}
	if said.Code == CodeBusy && d.phase == opening && !d.sendState.asked {
		d.busy = said // there may be a place when the OPEN is repeated
		return
	}
	v.finish(now, d, d.given(said))
}

// acked takes an ACK.
func (v *sendCall) acked(now time.Time, d *sendTransfer, p Packet) error {
	before := d.held
	what, sample := d.sendState.acked(now, p.Block, p.Flags)
	switch what {
	case future:
		v.ignored(d.peer, d, ErrBlock)
		return nil
	case odd:
		v.ignored(d.peer, d, ErrFlag)
		return nil
	case stale:
		d.report.Duplicates++
	}
	v.received(d, PacketEvent{Type: Ack, Block: p.Block, Flags: p.Flags, Before: before, After: d.held, Again: what == stale, RTT: sample})
	if what == complete {
		if err := d.confirmed(now); err != nil {
			v.fail(now, d, err)
			return nil
		}
		if d.phase == over {
			v.finish(now, d, nil)
			return nil
		}
	}
	if what == stale {
		return nil
	}
	d.progress = now
	if what == complete {
		now = time.Now() // the source may have taken its time
		d.deadline = now.Add(d.silence)
	}
	return v.step(now, d)
}

func (v *sendCall) received(d *sendTransfer, e PacketEvent) {
	if v.trace.Received != nil {
		e.Session = d.session
		e.Addr = d.peer
		v.trace.Received(e)
	}
}

// ignored counts and traces a packet that was ignored. d may be nil.
func (v *sendCall) ignored(from netip.AddrPort, d *sendTransfer, err error) {
	switch {
	case errors.Is(err, ferry.ErrUnsolicited):
		v.foreign++
	case d != nil:
		d.report.Unexpected++
	default:
		v.bad++
	}
	if v.trace.Ignored != nil {
		v.trace.Ignored(PacketEvent{Addr: from, Err: err})
	}
}

// fail ends a delivery for a reason of this side's, and tells the receiver.
func (v *sendCall) fail(now time.Time, d *sendTransfer, err error) {
	v.tell(d.peer, d.local, d.session, d.number(), CodeFailed)
	v.finish(now, d, err)
}

// finish notes how a delivery ended; err is nil when the receiver has the file.
func (v *sendCall) finish(now time.Time, d *sendTransfer, err error) {
	delete(v.transfers, key{d.peer, d.session})
	if d.file != nil {
		// It was only read.
		_ = d.file.Close()
	}
	d.report.RTT = d.rtt.SRTT()
	d.report.Elapsed = now.Sub(d.start)
	v.err = err
	if v.trace.Finished != nil {
		v.trace.Finished(TransferEvent{d.offer().Addr, d.offer(), d.report, err})
	}
}

// end says goodbye to all receivers, because the conn or the context ended.
func (v *sendCall) end(err error) error {
	now := time.Now()
	for _, d := range v.transfers {
		v.tell(d.peer, d.local, d.session, d.number(), CodeStopped)
		v.finish(now, d, d.at(err))
	}
	if v.only != nil {
		return v.err
	}
	return fmt.Errorf("octoput: serving: %w", err)
}
