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

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// A serving is one call of Receive or Serve. Its methods run in that call's goroutine,
// which alone owns all of it.
type serving struct {
	ctx     context.Context // of that call
	handler ferry.Handler
	trace   Trace
	giveUp  time.Duration
	lingers time.Duration // what Receiver.Linger says
	linger  time.Duration // in the classic mode
	window  int
	room    int  // transfers under way at once
	wanted  int  // transfers to complete; 0: no end
	only    bool // one transfer, whatever becomes of it: Receive

	noOffload bool

	conn      *datagram.Conn
	buffer    int // the size of the socket's receive buffer; 0: unknown
	seed      maphash.Seed
	transfers map[netip.AddrPort]*transfer  // classic ones, under way and remembered
	sessions  map[sessionKey]*session       // extended ones, likewise
	bySender  map[netip.AddrPort][]*session // the same
	active    int                           // transfers under way, of both modes
	checking  []*session                    // those that are being checked
	finished  []*session                    // those that have ended, in that order
	laden     []*session                    // those that lately had something to write
	complete  int
	wake      time.Time // no transfer expires before this
	quiet     time.Time // until then a finished transfer's answer may be asked for again
	quietEnd  time.Time // and no longer than that,
	quietFor  int       // after this many complete transfers

	out    []datagram.Packet // answers, written after each batch
	bytes  []byte            // what they consist of
	status status
	abort  abort

	refused   sessionKey // the latest of which a poll was refused,
	refuseDue time.Time  // and when one may be again

	begun      bool    // a transfer was begun
	lastReport *Report // the latest transfer's: Receive's
	stray      Report  // counts packets that belong to no transfer
	err        error   // why Receive's transfer failed
}

// checkEvery is how often it is looked whether a file has been checked.
const checkEvery = 2 * time.Millisecond

func (r *Receiver) newServing(h ferry.Handler) *serving {
	v := &serving{
		ctx:       context.Background(),
		handler:   h,
		giveUp:    orDefault(max(r.GiveUp, 0), DefaultReceiverGiveUp),
		lingers:   r.Linger,
		linger:    max(0, orDefault(r.Linger, DefaultLinger)),
		window:    min(max(r.Window, 0), maxWindow),
		room:      r.MaxTransfers,
		noOffload: r.NoOffload,
		seed:      maphash.MakeSeed(),
		transfers: make(map[netip.AddrPort]*transfer),
		sessions:  make(map[sessionKey]*session),
		bySender:  make(map[netip.AddrPort][]*session),
	}
	if v.room <= 0 {
		v.room = DefaultMaxTransfers
	}
	if r.GiveUp < 0 {
		v.giveUp = 100 * 365 * 24 * time.Hour
	}
	if r.Trace != nil {
		v.trace = *r.Trace
	}
	return v
}

// serve reads packets, feeds them to the transfers and writes the answers, until there
// is nothing left to do.
func (v *serving) serve(ctx context.Context, conn net.PacketConn) error {
	v.ctx = ctx
	v.conn = datagram.Open(ctx, conn, datagram.Config{Batch: readBatch, Join: true, NoOffload: v.noOffload, Yield: true})
	defer v.conn.Release()
	v.buffer, _, _ = v.conn.SetBuffers(socketBuffer, 0) // as far as it goes
	v.trace.smallBuffer(v.buffer)
	for {
		if err := v.read(ctx); err != nil {
			return v.end(err)
		}
		now := time.Now()
		v.checked(now)
		v.expire(now)
		if v.satisfied() {
			v.dismiss()
		}
		if err := v.flush(); err != nil {
			return v.end(err)
		}
		if v.done(now) {
			return v.end(nil)
		}
	}
}

// read waits for packets and takes all that have arrived, before it is judged who is
// silent: this process itself may have been held up.
func (v *serving) read(ctx context.Context) error {
	deadline := v.deadline(time.Now())
	for range readBatches {
		packets, err := v.conn.Read(deadline)
		// The context's cause may look like a timeout.
		if err != nil && (ctx.Err() != nil || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
		now := time.Now()
		for _, p := range packets {
			v.arrived(now, p)
		}
		// The senders go on while the sinks are given what arrived.
		if err := v.flush(); err != nil {
			return err
		}
		v.unloadAll(now)
		// Whoever wrote to a slow disk looks again, too.
		if len(packets) < readBatch && time.Since(now) < time.Second {
			break
		}
		deadline = longAgo
	}
	return nil
}

// accept asks the handler.
func (v *serving) accept(o ferry.Offer) (ferry.Sink, error) {
	sink, err := v.handler.Accept(o)
	if err == nil && sink == nil {
		err = errors.New("p2mp: the handler returned no sink")
	}
	return sink, err
}

// deadline is when there is something to do though nothing arrives.
func (v *serving) deadline(now time.Time) time.Time {
	wake := v.wake
	if len(v.checking) > 0 {
		wake = earlier(wake, now.Add(checkEvery))
	}
	if v.satisfied() && v.active == 0 {
		wake = earlier(wake, v.quiet)
	}
	return wake
}

// satisfied reports whether all transfers that were wanted are complete.
func (v *serving) satisfied() bool { return v.wanted > 0 && v.complete >= v.wanted }

// full reports whether no further transfer may begin.
func (v *serving) full() bool { return v.active >= v.room || v.satisfied() }

// dismiss ends what is under way beyond the transfers that were wanted.
func (v *serving) dismiss() {
	for _, t := range v.transfers {
		if t.underWay() {
			v.fail(t, errBusy)
		}
	}
	for _, s := range v.sessions {
		if s.state == underWay {
			v.failSession(time.Now(), s, ferry.ErrBusy, ReasonBusy, true)
		}
	}
}

// done reports whether serve has nothing left to do.
func (v *serving) done(now time.Time) bool {
	if v.only && v.err != nil {
		return true
	}
	return v.satisfied() && v.active == 0 && !now.Before(v.quiet)
}

// quietUntil makes serve stay for d, to answer repeated questions; but not for ever,
// should the answers never arrive.
func (v *serving) quietUntil(now time.Time, d time.Duration) {
	if v.quietEnd.IsZero() || v.complete > v.quietFor {
		v.quietEnd, v.quietFor = now.Add(lingerAtMost*d), v.complete
	}
	t := now.Add(d)
	if t.After(v.quietEnd) {
		t = v.quietEnd
	}
	if t.After(v.quiet) {
		v.quiet = t
	}
}

// lingerAtMost is how many linger times a call stays, if it is asked again and again.
const lingerAtMost = 8

// end waits for checks that are under way, and aborts what else is if the conn or the
// context ended. That is no error any more when all that was wanted is complete.
func (v *serving) end(err error) error {
	if err != nil {
		err = fmt.Errorf("p2mp: receiving: %w", err)
	}
	now := time.Now()
	for _, s := range v.checking {
		v.settle(now, s, <-s.result)
	}
	v.checking = nil
	if err != nil && !v.satisfied() {
		for _, t := range v.transfers {
			if t.underWay() {
				v.fail(t, err)
			}
		}
		for _, s := range v.sessions {
			if s.state == underWay {
				v.failSession(now, s, err, ReasonCanceled, true)
			}
		}
		v.err = err
	}
	v.flush() // the last words may be lost, as any
	if v.only || err != nil && !v.satisfied() {
		return v.err
	}
	return nil
}

// arrived takes one packet from the conn.
func (v *serving) arrived(now time.Time, d datagram.Packet) {
	if v.sessionData(now, d) {
		return
	}
	t := v.transfers[d.Addr]
	p, err := ParsePacket(d.Data)
	switch {
	case err != nil:
	case p.Category != CategoryData:
		err = v.message(now, d.Addr, p, len(d.Data))
	case t == nil && p.Seq == 1 && v.expects(d.Addr):
		// It does not know yet that this receiver has answered its HELLO.
		s := v.latest(d.Addr)
		s.heard(len(d.Data))
		v.answer(now, s, 0)
	case t == nil:
		err = v.admit(now, d.Addr, p)
	default:
		err = v.chunk(now, t, p)
	}
	if err != nil {
		v.bad(d.Addr, err)
	}
}

// sessionData takes a chunk of the extended mode. It reports whether it was one, which
// only the sessions of its sender can tell: by its checksum.
func (v *serving) sessionData(now time.Time, d datagram.Packet) bool {
	of := v.bySender[d.Addr]
	for i := len(of) - 1; i >= 0; i-- {
		if of[i].state != underWay {
			continue
		}
		if p, ok := of[i].owns(d.Data); ok {
			of[i].heard(len(d.Data))
			if err := v.data(now, of[i], p); err != nil {
				v.bad(d.Addr, err)
			}
			return true
		}
	}
	// Only then those that have ended: their sums may be alike by chance.
	for _, s := range of {
		if _, ok := s.owns(d.Data); ok && s.state != underWay && s.state != failed {
			s.report.Peers[0].Duplicates++
			return true
		}
	}
	return false
}

// expects reports whether a sender has a session here that waits for its first chunk.
func (v *serving) expects(from netip.AddrPort) bool {
	s := v.latest(from)
	return s != nil && s.state == underWay && s.received == 0
}

// expire forgets what was remembered long enough, and gives up senders that have fallen
// silent.
func (v *serving) expire(now time.Time) {
	if v.wake.IsZero() || now.Before(v.wake) {
		return
	}
	v.wake = time.Time{}
	silent := fmt.Errorf("p2mp: %w for %v in mid-file", ferry.ErrSilent, v.giveUp)
	for from, t := range v.transfers {
		if now.Before(t.expires) {
			continue
		}
		if t.underWay() {
			v.fail(t, silent)
		}
		delete(v.transfers, from)
	}
	for _, s := range v.sessions {
		if now.Before(s.expires) || s.state == beingChecked {
			continue
		}
		if s.state == underWay {
			v.failSession(now, s, silent, ReasonGivenUp, false)
			continue
		}
		v.forget(s)
	}
	for _, t := range v.transfers {
		v.wake = earlier(v.wake, t.expires)
	}
	for _, s := range v.sessions {
		if s.state != beingChecked { // checkEvery is for those
			v.wake = earlier(v.wake, s.expires)
		}
	}
}

// acknowledge queues an ACK of p.
func (v *serving) acknowledge(t *transfer, p Packet, again bool) {
	peer := &t.report.Peers[0]
	peer.Sent++
	if again {
		peer.SentAgain++
	}
	start := len(v.bytes)
	v.bytes, _ = Packet{Seq: p.Seq, Category: CategoryAck}.AppendBinary(v.bytes)
	v.out = append(v.out, datagram.Packet{Data: v.bytes[start:], Addr: t.offer.Addr})
	if v.trace.Received != nil {
		v.trace.Received(t.offer.Addr, p.Seq, len(p.Payload), again)
	}
}

// post queues a packet of the extended mode.
func (v *serving) post(to netip.AddrPort, c Category, body message) {
	start := len(v.bytes)
	v.bytes = appendMessage(v.bytes, c, body)
	v.out = append(v.out, datagram.Packet{Data: v.bytes[start:], Addr: to})
}

// flush writes the answers. One that cannot leave counts as lost: it will be asked for
// again.
func (v *serving) flush() error {
	for out := v.out; len(out) > 0; {
		n, err := v.conn.Write(out)
		if err == nil {
			break
		}
		if datagram.Fatal(err) {
			return err
		}
		if v.trace.WriteFailed != nil {
			v.trace.WriteFailed(out[n].Addr, err)
		}
		out = out[n+1:]
	}
	v.out, v.bytes = v.out[:0], v.bytes[:0]
	return nil
}

// bad counts and traces a packet that was ignored.
func (v *serving) bad(from netip.AddrPort, err error) {
	r := &v.stray
	if t := v.transfers[from]; t != nil {
		r = &t.report
	} else if s := v.latest(from); s != nil {
		r = &s.report
	}
	if errors.Is(err, ferry.ErrUnsolicited) {
		r.Foreign++
	} else {
		r.Bad++
	}
	if v.trace.Bad != nil {
		v.trace.Bad(from, err)
	}
}
