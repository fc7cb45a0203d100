package p2mp

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// A recvLoop is one call of Receive or Serve. Its methods run in the goroutine of that
// call, which alone owns all of it. Only a commit runs in another goroutine.
type recvLoop struct {
	recvTable
	ctx     context.Context // of the call
	handler ferry.Handler
	trace   Trace

	giveUp        time.Duration
	linger        time.Duration // Receiver.Linger; 0: it depends on the transfer
	classicMemory time.Duration // how long a classic transfer is remembered
	window        int
	max           int  // transfers under way at once
	wanted        int  // transfers to complete; 0: no end
	single        bool // one transfer, whatever its result: Receive
	noClassic     bool
	noOffload     bool

	conn         *datagram.Conn
	socketBuffer int // the size of the socket's receive buffer; 0: unknown
	seed         maphash.Seed
	secret       [16]byte // of tokens
	memory       memory   // of all reassemblies
	starvedDue   time.Time
	empty        []emptyFile // accepted in the latest emptyTime

	committing []*transfer
	commits    sync.WaitGroup // their goroutines
	unwritten  []*transfer    // those with chunks that are not written yet
	spare      [][]byte       // buffers for such chunks
	complete   int            // transfers
	wake       time.Time      // no transfer expires before this
	quiet      time.Time      // until then the answer to a transfer that has ended may be asked for again,
	quietEnd   time.Time      // but no longer than this,
	quietFor   int            // after this many complete transfers

	out    []datagram.Packet // answers, written after each batch
	bytes  []byte            // their bytes
	status status
	abort  abort

	refused   transferKey // the latest whose POLL was refused,
	refuseDue time.Time   // and when one may be refused again

	begun      bool       // a transfer was begun
	lastReport *Report    // the latest transfer's: Receive's
	unused     ferry.Sink // of a transfer that Receive gave up before it wrote
	stray      Report     // counts packets that belong to no transfer
	err        error      // why Receive's transfer failed
}

func (r *Receiver) newLoop(h ferry.Handler) *recvLoop {
	l := &recvLoop{
		recvTable:     newRecvTable(),
		ctx:           context.Background(),
		handler:       h,
		giveUp:        orDefault(max(r.GiveUp, 0), DefaultReceiverGiveUp),
		linger:        r.Linger,
		classicMemory: max(0, orDefault(r.Linger, DefaultLinger)),
		window:        min(max(r.Window, 0), maxWindow),
		max:           r.MaxTransfers,
		noClassic:     r.NoClassic,
		noOffload:     r.NoOffload,
		seed:          maphash.MakeSeed(),
		memory:        memory{max: DefaultMaxMemory},
	}
	rand.Read(l.secret[:]) // never fails
	if r.MaxMemory > 0 {
		l.memory.max = r.MaxMemory
	}
	if l.max <= 0 {
		l.max = DefaultMaxTransfers
	}
	if r.GiveUp < 0 {
		l.giveUp = 100 * 365 * 24 * time.Hour
	}
	if r.Trace != nil {
		l.trace = *r.Trace
	}
	return l
}

// lingerOr returns Receiver.Linger, or d if it is not set.
func (l *recvLoop) lingerOr(d time.Duration) time.Duration { return max(0, orDefault(l.linger, d)) }

// run reads packets, passes them to the transfers and writes the answers, until there is
// nothing left to do.
func (l *recvLoop) run(ctx context.Context, conn net.PacketConn) error {
	l.ctx = ctx
	l.conn = datagram.Open(ctx, conn, datagram.Config{Batch: readBatch, Local: true, Join: true, NoOffload: l.noOffload, Yield: true})
	defer l.conn.Release()
	defer l.commits.Wait()
	l.socketBuffer, _, _ = l.conn.SetBuffers(socketBuffer, 0) // as far as it goes
	l.trace.smallBuffer(l.socketBuffer)
	for {
		if err := l.read(ctx); err != nil {
			return l.close(err)
		}
		now := time.Now()
		l.committed(now)
		l.expire(now)
		if l.satisfied() {
			l.failAll(now, errBusy, ReasonBusy)
		}
		if err := l.flush(); err != nil {
			return l.close(err)
		}
		if l.done(now) {
			return l.close(nil)
		}
	}
}

// read waits for packets and takes all that have arrived, before any sender is judged
// silent: this process itself may have been held up.
func (l *recvLoop) read(ctx context.Context) error {
	deadline := l.deadline(time.Now())
	for range readBatches {
		packets, err := l.conn.Read(deadline)
		// The context's cause may look like a timeout.
		if err != nil && (ctx.Err() != nil || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
		now := time.Now()
		for _, p := range packets {
			l.arrived(now, p)
		}
		// The senders go on while the sinks are written to.
		if err := l.flush(); err != nil {
			return err
		}
		l.saveAll(now)
		// After a write to a slow disk, look again.
		if len(packets) < readBatch && time.Since(now) < time.Second {
			break
		}
		deadline = longAgo
	}
	return nil
}

// deadline is when there is something to do even if nothing arrives.
func (l *recvLoop) deadline(now time.Time) time.Time {
	wake := earlier(l.wake, l.nextCommit(now))
	if l.satisfied() && len(l.active) == 0 {
		wake = earlier(wake, l.quiet)
	}
	return wake
}

// satisfied reports whether all transfers that were wanted are complete.
func (l *recvLoop) satisfied() bool { return l.wanted > 0 && l.complete >= l.wanted }

// done reports whether the loop has nothing left to do.
func (l *recvLoop) done(now time.Time) bool {
	if l.single && l.err != nil {
		return true
	}
	return l.satisfied() && len(l.active) == 0 && !now.Before(l.quiet)
}

// maxLingers is how many linger times a call stays if it is asked again and again.
const maxLingers = 8

// lingerUntil makes the loop stay for d, to answer repeated questions, but not without end
// if the answers never arrive.
func (l *recvLoop) lingerUntil(now time.Time, d time.Duration) {
	if l.quietEnd.IsZero() || l.complete > l.quietFor {
		l.quietEnd, l.quietFor = now.Add(maxLingers*d), l.complete
	}
	t := now.Add(d)
	if t.After(l.quietEnd) {
		t = l.quietEnd
	}
	if t.After(l.quiet) {
		l.quiet = t
	}
}

// close waits for commits that are under way, and aborts the other transfers if the conn
// or the context ended. It returns no error if all transfers that were wanted are complete.
func (l *recvLoop) close(err error) error {
	if err != nil {
		err = fmt.Errorf("p2mp: receiving: %w", err)
	}
	now := time.Now()
	for _, t := range l.committing {
		l.conclude(now, t, <-t.result)
	}
	l.committing = nil
	if err != nil && !l.satisfied() {
		l.failAll(now, err, ReasonCanceled)
		l.err = err
	}
	l.flush() // these answers may be lost, like any others
	if l.single || err != nil && !l.satisfied() {
		return l.err
	}
	return nil
}

// arrived takes one packet from the conn. Its checksum is computed once, whatever the
// number of sessions is: it says to which session of its sender a chunk belongs.
func (l *recvLoop) arrived(now time.Time, d datagram.Packet) {
	var err error
	if sum := packetSum(d.Data); sum != 0 && isData(d.Data) {
		if t := l.bySum[sumKey{d.Addr, sum}]; t != nil {
			err = l.sessionData(now, t, d)
		} else {
			err = ferry.ErrChecksum
		}
	} else {
		err = l.plain(now, d)
	}
	if err != nil {
		l.bad(d.Addr, err)
	}
}

// isData reports whether a packet has the category of DATA.
func isData(b []byte) bool {
	return len(b) >= headerLen && Category(binary.BigEndian.Uint16(b[6:])) == CategoryData
}

// plain takes a packet whose checksum includes no session.
func (l *recvLoop) plain(now time.Time, d datagram.Packet) error {
	p, err := ParsePacket(d.Data)
	switch {
	case err != nil:
		return err
	case p.Category == CategoryData:
		return l.classicData(now, d, p)
	}
	return l.message(now, d, p)
}

// post queues a packet of the extended mode.
func (l *recvLoop) post(to netip.AddrPort, local netip.Addr, c Category, body message) {
	start := len(l.bytes)
	l.bytes = appendMessage(l.bytes, c, body)
	l.queue(to, local, start)
}

// queue queues the packet that begins at l.bytes[start].
func (l *recvLoop) queue(to netip.AddrPort, local netip.Addr, start int) {
	l.out = append(l.out, datagram.Packet{Data: l.bytes[start:], Addr: to, Local: local})
}

// flush writes the answers. An answer that cannot leave counts as lost: the sender asks
// again.
func (l *recvLoop) flush() error {
	err := datagram.Send(l.conn, l.out, func(i int, err error) {
		if l.trace.WriteFailed != nil {
			l.trace.WriteFailed(PacketEvent{Addr: l.out[i].Addr, Err: err})
		}
	})
	l.out, l.bytes = l.out[:0], l.bytes[:0]
	return err
}

// bad counts and traces a packet that was ignored.
func (l *recvLoop) bad(from netip.AddrPort, err error) {
	r := &l.stray
	if t := l.all[transferKey{from, 0}]; t != nil {
		r = &t.report
	} else if t := l.latest[from]; t != nil {
		r = &t.report
	}
	if errors.Is(err, ferry.ErrUnsolicited) {
		r.Unsolicited++
	} else {
		r.Unexpected++
	}
	if l.trace.Ignored != nil {
		l.trace.Ignored(PacketEvent{Addr: from, Err: err})
	}
}
