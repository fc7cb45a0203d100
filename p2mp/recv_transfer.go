package p2mp

import (
	"errors"
	"fmt"
	"hash"
	"io"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// A transfer is one file that arrives, in either mode. Both modes go through the same
// steps:
//
//   - admit finds a place and asks the handler;
//   - data takes a chunk, and save writes it;
//   - commit verifies and keeps the file, in a goroutine that may block;
//   - finish ends the transfer, complete or failed;
//   - expire gives up a silent sender, and forgets a transfer that has ended.
//
// The modes differ in what they keep of the chunks, and in how they answer. After its end
// a transfer is remembered without its sink, so that a repeated question gets the same
// answer.
type transfer struct {
	key     transferKey
	local   netip.Addr // the address of this host that the sender uses
	offer   ferry.Offer
	chunks  keeper
	session *session // nil in the classic mode
	proven  bool     // the sender receives what is sent to its address

	sink    ferry.Sink
	behind  []byte    // chunks that have arrived together and are not written yet
	pending uint32    // the number of chunks in behind
	hash    hash.Hash // of what was written; nil if the sink held some of it before
	held    int64     // bytes that the sink held before
	bytes   int64     // bytes that the sink holds
	written uint32    // chunks that the sink holds

	state  recvState
	result chan error // of the commit,
	since  time.Time  // which began then
	reason Reason     // of a failure
	report Report

	start    time.Time
	progress time.Time // when the latest chunk was written, or start
	expires  time.Time
	linger   time.Duration
}

// A keeper decides what a receiver keeps of the chunks of one sender. It is an inOrder in
// the classic mode and a reassembly in the extended mode.
type keeper interface {
	take(p Packet) (verdict, error)
	ready() []byte
	drop()
}

type recvState uint8

const (
	underWay   recvState = iota // chunks are awaited
	committing                  // all have arrived; the file is verified and kept
	whole                       // verified and kept
	failed                      // or refused
)

func (t *transfer) peer() *PeerReport { return &t.report.Peers[0] }

// newTransfer returns a transfer that the packet d begins.
func newTransfer(now time.Time, d datagram.Packet, session uint64, o ferry.Offer) *transfer {
	return &transfer{
		key:      transferKey{d.Addr, session},
		local:    d.Local,
		offer:    o,
		start:    now,
		progress: now,
		report:   Report{Peers: []PeerReport{{Addr: d.Addr, State: Receiving, Extended: session != 0}}},
	}
}

// admit begins a transfer if there is a place for it and the handler accepts it. A refused
// transfer is remembered as failed. An error means that nothing is remembered: there is no
// place, or a passing shortage of this host.
func (l *recvLoop) admit(now time.Time, t *transfer, begin func() error) error {
	if !l.findPlace(now, t) {
		return ferry.ErrBusy
	}
	sink, err := l.accept(now, t.offer)
	if shortage(err) {
		return fmt.Errorf("%w: %w", errBusy, err)
	}
	l.begun, l.lastReport = true, &t.report
	l.add(t)
	t.sink = sink
	if err == nil {
		err = begin()
	}
	if err != nil {
		l.fail(now, t, fmt.Errorf("p2mp: refused: %w", err), refusal(err))
		return nil
	}
	l.extend(now, t)
	if l.trace.Accepted != nil {
		l.trace.Accepted(TransferEvent{Addr: t.offer.Addr, Offer: t.offer})
	}
	return nil
}

// accept asks the handler. A name that a half-open transfer holds is free for another
// offer.
func (l *recvLoop) accept(now time.Time, o ferry.Offer) (ferry.Sink, error) {
	if s := l.unused; s != nil {
		l.unused = nil
		return s, nil
	}
	sink, err := l.handler.Accept(o)
	if refusal(err) == ReasonExists && l.evictName(now, o.Name) {
		sink, err = l.handler.Accept(o)
	}
	if err == nil && sink == nil {
		err = errors.New("p2mp: the handler returned no sink")
	}
	return sink, err
}

// data takes a chunk of a transfer. The error says why it is ignored.
func (l *recvLoop) data(now time.Time, t *transfer, p Packet) error {
	if t.session == nil && t.pending > 0 && !l.save(now, t) { // each chunk has its own ACK
		return nil
	}
	what, err := t.chunks.take(p)
	switch {
	case t.state == failed && (err != nil || what == known || what == due):
		return nil // the sender cannot know, and goes on trying
	case err != nil:
		return err
	case what == anew:
		return l.restart(now, t, p)
	case what == resumed:
		held := Packet{Seq: 1, Category: CategoryData, Payload: t.chunks.(*inOrder).held}
		if err := l.restart(now, t, held); err != nil {
			return err
		}
		return l.data(now, l.all[t.key], p)
	case what == broken:
		l.fail(now, t, errRestarted, 0)
		return nil
	}
	l.extend(now, t)
	l.noteChunk(now, t, p, what)
	if what == due {
		l.store(now, t, p)
	}
	return nil
}

// noteChunk counts and traces a chunk, and acknowledges a duplicate in the classic mode.
func (l *recvLoop) noteChunk(now time.Time, t *transfer, p Packet, what verdict) {
	if what == known {
		t.peer().Duplicates++
	}
	if l.trace.Received != nil && what != away {
		l.trace.Received(PacketEvent{Addr: t.key.from, Seq: p.Seq, Length: len(p.Payload), Again: what == known})
	}
	switch s := t.session; {
	case s != nil:
		s.rough = s.rough || what != due
		if what == away {
			l.starved(now, t)
		}
	case what == known && t.state != committing:
		l.acknowledge(t, p.Seq, true)
		if t.state == whole {
			l.lingerUntil(now, t.linger)
		}
	}
}

// writeBehind is how many bytes that arrive together are written to a sink in one piece:
// a file takes 64 KiB in little more time than a chunk.
const writeBehind = 64 << 10

// store appends the chunk that is due, and the kept chunks that follow it, to the buffer of
// unwritten chunks.
func (l *recvLoop) store(now time.Time, t *transfer, p Packet) {
	if t.pending == 0 {
		l.unwritten = append(l.unwritten, t)
		t.behind = l.buffer()
	}
	for b := p.Payload; ; {
		if len(t.behind)+len(b) > writeBehind && !l.save(now, t) {
			return
		}
		t.behind = append(t.behind, b...)
		t.pending++
		if b = t.chunks.ready(); b == nil {
			return
		}
	}
}

// save writes what has not been written. It reports whether it could; otherwise the
// transfer has failed.
func (l *recvLoop) save(now time.Time, t *transfer) bool {
	fresh := t.pending > 0
	if err := t.save(); err != nil {
		l.fail(now, t, err, trouble(err))
		return false
	}
	if fresh {
		t.progress = now
		l.saved(now, t)
	}
	return true
}

func (t *transfer) save() error {
	b, n := t.behind, t.pending
	t.behind, t.pending = b[:0], 0
	if n == 0 || t.sink == nil {
		return nil
	}
	if err := write(t.sink, b); err != nil {
		return fmt.Errorf("p2mp: writing from chunk %d on: %w", t.written+1, err)
	}
	t.bytes += int64(len(b))
	t.written += n
	if t.hash != nil {
		t.hash.Write(b)
	}
	return nil
}

// saveAll is called when everything that has arrived was taken.
func (l *recvLoop) saveAll(now time.Time) {
	for _, t := range l.unwritten {
		if t.state == underWay {
			l.save(now, t)
		}
		if t.behind != nil && len(l.spare) < maxSpare {
			l.spare = append(l.spare, t.behind)
		}
		t.behind = nil
	}
	clear(l.unwritten)
	l.unwritten = l.unwritten[:0]
}

// maxSpare is how many buffers of unwritten chunks are kept for reuse.
const maxSpare = 4

// buffer returns an empty buffer for unwritten chunks.
func (l *recvLoop) buffer() []byte {
	n := len(l.spare)
	if n == 0 {
		return nil
	}
	b := l.spare[n-1]
	l.spare = l.spare[:n-1]
	return b[:0]
}

// write fails also if w takes less than it was given without an error.
func write(w io.Writer, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	n, err := w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// fail ends a transfer that is under way, or was refused. In the extended mode the sender
// is told the reason, unless it is 0.
func (l *recvLoop) fail(now time.Time, t *transfer, err error, reason Reason) {
	if _, committed := errors.AsType[*commitError](err); t.sink != nil && !committed {
		_ = t.save() // a Resumer keeps it
		t.sink.Abort(err)
	}
	t.reason = reason
	l.finish(now, t, failed, err)
	if t.session != nil && reason != 0 {
		l.refuse(t.key.from, t.local, t.key.session, reason)
	}
}

// finish ends a transfer. err is nil if the file is whole.
func (l *recvLoop) finish(now time.Time, t *transfer, state recvState, err error) {
	t.state = state
	t.sink, t.hash, t.behind, t.pending = nil, nil, nil, 0
	t.chunks.drop()
	l.end(t, l.max)
	l.err = err
	if err == nil {
		l.complete++
		l.lingerUntil(now, t.linger)
	}
	t.close(now, err)
	l.extend(now, t)
	if l.trace.Finished != nil {
		l.trace.Finished(TransferEvent{Addr: t.offer.Addr, Offer: t.offer, Report: t.report.clone(), Err: err})
	}
}

// close completes the report.
func (t *transfer) close(now time.Time, err error) {
	t.report.Bytes, t.report.Chunks = t.bytes, t.written
	t.report.Elapsed = now.Sub(t.start)
	peer := t.peer()
	peer.Bytes, peer.Chunks, peer.Err = t.bytes, t.written, err
	if peer.State = Dropped; err == nil {
		peer.State, peer.Elapsed = Complete, t.report.Elapsed
	}
}

// patience is how long a sender may be silent, or, when the transfer has ended, how long it
// is remembered after the latest question about it.
func (l *recvLoop) patience(t *transfer) time.Duration {
	switch {
	case t.state == underWay || t.state == committing:
		return l.giveUp
	case t.session == nil:
		return l.classicMemory
	}
	return max(sessionMemory, l.giveUp)
}

// sessionMemory is how long a session that has ended is remembered after the latest
// question about it; or Receiver.GiveUp, if that is longer.
const sessionMemory = time.Minute

// extend lets t expire after its patience, from now.
func (l *recvLoop) extend(now time.Time, t *transfer) {
	t.expires = now.Add(l.patience(t))
	l.wake = earlier(l.wake, t.expires)
}

// expire gives up senders that have been silent for too long, and forgets transfers that
// have been remembered for long enough.
func (l *recvLoop) expire(now time.Time) {
	if l.wake.IsZero() || now.Before(l.wake) {
		return
	}
	l.wake = time.Time{}
	for _, t := range l.all {
		switch {
		case t.state == committing: // takes its time
			continue
		case now.Before(t.expires):
		case t.state == underWay:
			l.fail(now, t, fmt.Errorf("p2mp: %w for %v in mid-file", ferry.ErrSilent, l.giveUp), ReasonGivenUp)
		default:
			l.forget(t)
			continue
		}
		l.wake = earlier(l.wake, t.expires)
	}
}

// failAll ends all transfers that are under way.
func (l *recvLoop) failAll(now time.Time, err error, reason Reason) {
	for _, t := range append([]*transfer(nil), l.active...) {
		if t.state == underWay {
			l.fail(now, t, err, reason)
		}
	}
}
