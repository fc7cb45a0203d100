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

// memory is how long Serve remembers finished transfers at least, where it goes on
// anyway.
const memory = confirming

// spinTime is how long both sides look for packets before they sleep: some round trips of a
// fast network, each of which is worth waiting for awake.
const spinTime = 200 * time.Microsecond

// A serving is one call of Receive, Get or Serve. Its methods run in that call's
// goroutine, which alone owns all of it.
type recvCall struct {
	handler       ferry.Handler
	trace         Trace
	giveUp        time.Duration
	linger        time.Duration
	maxTransfers  int // transfers under way at once
	maxPerAddress int
	wanted        int       // transfers to complete; 0: no end
	only          bool      // one transfer, whatever becomes of it: Receive and Get
	question      *question // Get's, until it is answered
	asked         key       // whom Get asked, in which session; zero if it did not

	noOffload bool

	conn      *datagram.Conn
	local     netip.Addr            // the address of this host that the current packet was sent to
	transfers map[key]*recvTransfer // under way, and remembered
	active    int                   // those under way
	complete  int
	wake      time.Time // nothing is due before this
	answers   []datagram.Packet
	bytes     []byte          // of the answers
	blocked   time.Duration   // by Sinks, while a packet was taken
	touched   []*recvTransfer // that may owe an acknowledgement, or have something to write

	last  *recvTransfer // the latest one: Receive's
	stray Report        // counts packets that belong to no transfer
	err   error         // why Receive's transfer failed
}

func (r *Receiver) newRecvCall(h ferry.Handler) *recvCall {
	v := &recvCall{
		handler:      h,
		giveUp:       orDefault(r.GiveUp, DefaultGiveUp),
		linger:       max(0, orDefault(r.Linger, DefaultLinger)),
		maxTransfers: maxTransfers(r.MaxTransfers),
		noOffload:    r.NoOffload,
		transfers:    make(map[key]*recvTransfer),
	}
	v.maxPerAddress = maxPerAddress(r.MaxPerAddress, v.maxTransfers)
	if r.Trace != nil {
		v.trace = *r.Trace
	}
	return v
}

// one receives one transfer.
func (v *recvCall) one(ctx context.Context, conn net.PacketConn) (Report, error) {
	v.only, v.wanted, v.maxTransfers = true, 1, 1
	err := v.serve(ctx, conn)
	report := v.stray
	if v.last != nil {
		report = v.last.report
		report.Unexpected += v.stray.Unexpected
		report.Unsolicited += v.stray.Unsolicited
	}
	return report, err
}

// serve reads packets, feeds them to the transfers and writes their
// acknowledgements, until there is nothing left to do.
func (v *recvCall) serve(ctx context.Context, conn net.PacketConn) error {
	v.conn = datagram.Open(ctx, conn, datagram.Config{ReadSize: maxPacket, Local: true, Join: true, NoOffload: v.noOffload, Spin: spinTime})
	defer v.conn.Release()
	if v.question != nil {
		v.asked = key{v.question.to, v.question.session}
	}
	for now := time.Now(); ; now = time.Now() {
		if err := errors.Join(v.tick(now), v.flush()); err != nil {
			return v.end(err)
		}
		if v.done() {
			return v.err
		}
		packets, err := v.conn.Read(v.wake)
		now = time.Now()
		for _, p := range packets {
			v.blocked = 0
			v.arrived(now, p)
			now = now.Add(v.blocked)
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		} else {
			err = unlessTimeout(err)
		}
		if err := errors.Join(v.flush(), err); err != nil {
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
func (v *recvCall) done() bool {
	if v.only && v.err != nil {
		return true
	}
	return v.wanted > 0 && v.complete >= v.wanted && len(v.transfers) == 0
}

// end aborts what is under way because the conn or the context ended, and tells the
// senders. It is not an error if all transfers that were wanted are complete.
func (v *recvCall) end(err error) error {
	if v.wanted > 0 && v.complete >= v.wanted {
		return v.err
	}
	var nobody *PeerError
	if !errors.As(err, &nobody) {
		err = fmt.Errorf("octoput: receiving: %w", err)
	}
	for _, t := range v.transfers {
		if t.underWay() {
			v.fail(time.Now(), t, err, CodeStopped)
		}
	}
	// Where the conn is gone, so is the way to tell anybody.
	_ = v.flush()
	return err
}

// tick asks, forgets what was remembered long enough, and gives up senders that
// sent nothing new for too long.
func (v *recvCall) tick(now time.Time) error {
	if v.wake.IsZero() || now.Before(v.wake) {
		return nil
	}
	v.wake = time.Time{}
	if err := v.ask(now); err != nil {
		return err
	}
	for k, t := range v.transfers {
		if now.Before(t.expires) {
			v.schedule(t.expires)
			continue
		}
		if t.underWay() {
			v.fail(now, t, fmt.Errorf("octoput: %w for %v at octoblock %d", ferry.ErrSilent, v.giveUp, t.block.Number), CodeStopped)
		}
		delete(v.transfers, k)
	}
	return nil
}

// schedule sees to it that tick looks again at a time.
func (v *recvCall) schedule(at time.Time) {
	if v.wake.IsZero() || at.Before(v.wake) {
		v.wake = at
	}
}

// answer queues a packet for flush. It leaves from the address of this host that the other
// side sends to.
func (v *recvCall) answer(to netip.AddrPort, local netip.Addr, p Packet) {
	start := len(v.bytes)
	v.bytes, _ = p.AppendBinary(v.bytes)
	v.answers = append(v.answers, datagram.Packet{Data: v.bytes[start:len(v.bytes):len(v.bytes)], Addr: to, Local: local})
}

// flush writes the acknowledgements, and then, while the senders build their next
// octoblocks, gives the sinks what arrived.
func (v *recvCall) flush() error {
	for _, t := range v.touched {
		v.acknowledgePart(t)
	}
	if err := v.send(); err != nil {
		return err
	}
	for _, t := range v.touched {
		t.touched = false
		v.write(time.Now(), t)
	}
	clear(v.touched)
	v.touched = v.touched[:0]
	return v.send() // what there is to say of sinks that failed
}

// send writes the answers that are queued. One that cannot leave counts as lost.
func (v *recvCall) send() error {
	err := datagram.Send(v.conn, v.answers, func(i int, err error) {
		if v.trace.WriteFailed != nil {
			v.trace.WriteFailed(PacketEvent{Addr: v.answers[i].Addr, Err: err})
		}
	})
	if err != nil {
		return err
	}
	v.answers, v.bytes = v.answers[:0], v.bytes[:0]
	return nil
}

// ignored counts and traces a packet that was ignored. t may be nil.
func (v *recvCall) ignored(from netip.AddrPort, t *recvTransfer, err error) {
	r := &v.stray
	if t != nil {
		r = &t.report
	}
	if errors.Is(err, ferry.ErrUnsolicited) {
		r.Unsolicited++
	} else {
		r.Unexpected++
	}
	if v.trace.Ignored != nil {
		v.trace.Ignored(PacketEvent{Addr: from, Err: err})
	}
}

// shiftDeadlines adds the time since then, in which nothing was read because a Sink
// blocked, to the deadlines of all transfers.
func (v *recvCall) shiftDeadlines(since time.Time) {
	d := time.Since(since)
	if d < time.Millisecond {
		return
	}
	v.blocked += d
	for _, t := range v.transfers {
		if t.underWay() {
			t.expires, t.progress, t.since = t.expires.Add(d), t.progress.Add(d), t.since.Add(d)
		}
	}
}
