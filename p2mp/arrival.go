package p2mp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// arrived handles one packet that reached the sender. Packets that are no part of the
// transfer are counted and ignored.
func (t *sending) arrived(now time.Time, d datagram.Packet) {
	i, known := t.index[d.Addr]
	p, err := ParsePacket(d.Data)
	if !known && err == nil {
		joins, taken := t.invited(now, d.Addr, p, len(d.Data))
		if taken && !joins {
			return
		}
		i, known = t.index[d.Addr]
	}
	if !known {
		t.report.Unsolicited++
		t.stranger = d.Addr
		t.bad(d.Addr, ferry.ErrUnsolicited)
		return
	}
	if err == nil {
		err = t.take(now, i, p)
	}
	if err != nil {
		t.report.Unexpected++
		t.bad(d.Addr, err)
	}
}

func (t *sending) bad(from netip.AddrPort, err error) {
	if t.trace.Ignored != nil {
		t.trace.Ignored(PacketEvent{Addr: from, Err: err})
	}
}

// take handles a packet by its category. Categories that only senders send are an error.
func (t *sending) take(now time.Time, i int, p Packet) error {
	switch p.Category {
	case CategoryAck:
		return t.acked(now, i, p.Seq)
	case CategoryReport:
		s, err := parseStatus(p.Payload)
		if err == nil && s.session != t.session {
			err = ErrSession
		}
		if err != nil {
			return err
		}
		return t.reported(now, i, &s)
	case CategoryAbort:
		a, err := parseAbort(p.Payload)
		if err == nil && a.session != t.session {
			err = ErrSession
		}
		if err != nil {
			return err
		}
		if t.retries(now, i, &a) {
			return nil
		}
		return t.aborted(i, a.reason)
	}
	return ErrCategory
}

// reported takes the answer of a receiver of the extended mode.
func (t *sending) reported(now time.Time, i int, s *status) error {
	p, r := &t.peers[i], &t.report.Peers[i]
	p.flight.overheard, p.flight.toGroup = max(t.crowd.next, 1)-1, t.crowd.packets
	switch {
	case p.stage == joining, p.stage == classic && r.Chunks == 0:
		return t.joined(now, i, s)
	case p.stage != extended:
		if r.Duplicates++; r.State == Dropped { // it has not heard of that
			t.tell(i, ReasonGivenUp)
		}
		return nil
	case s.id != p.id:
		// The receiver was restarted after it answered the HELLO.
		t.tell(i, ReasonUnknown)
		t.drop(i, &PeerError{Addr: p.addr, Seq: p.flight.cum + 1, Err: &AbortError{ReasonUnknown}})
		return nil
	case !p.flight.plausible(s):
		return ErrSequence
	case s.progress != gathering && !t.ended(&p.flight, s):
		return ErrSequence
	}
	before := p.flight.cum
	p.aside = false
	if p.flight.grouped {
		t.crowd.broken(t.peers)
		t.crowd.heard = now
	}
	stopped, whole, groupStopped := p.flight.cc.stopped, p.flight.sizes.lost > 0 || p.flight.sizes.whole, t.crowd.cc.stopped
	if m, ok := p.flight.answer(now, s); ok && p.flight.grouped && t.crowd.answered(now, t.peers, m) {
		t.crowd.lack(t.peers, false)
	}
	switch known := p.flight.sizes.lost > 0 || p.flight.sizes.whole; {
	case !groupStopped && t.crowd.cc.stopped:
		t.stalled(t.crowd.addr, nil)
	case !stopped && p.flight.cc.stopped, !whole && known:
		t.stalled(p.addr, &p.flight)
	}
	if p.flight.cum == before && !p.flight.finished {
		return nil
	}
	t.credit(r, p.flight.cum)
	if p.flight.finished {
		r.State = Complete
		r.Elapsed = now.Sub(t.start)
		p.stage = over
	}
	if t.trace.Acked != nil {
		t.trace.Acked(PacketEvent{Addr: p.addr, Seq: p.flight.cum, Total: r.Bytes, RTT: p.flight.timer.Latest()})
	}
	return nil
}

// ended reports whether a receiver can be checking or keeping the file: it holds
// everything and was told so.
func (t *sending) ended(f *flight, s *status) bool {
	total, known := t.store.chunks()
	return known && s.cum == total && f.firstFin != 0 && (s.number == 0 || s.number >= f.firstFin)
}

// joined begins to send to a receiver that answered a HELLO.
func (t *sending) joined(now time.Time, i int, s *status) error {
	p, r := &t.peers[i], &t.report.Peers[i]
	total, known := t.store.chunks()
	if !t.mayJoin(s, p.proof) {
		return ErrSequence
	}
	if p.stage == classic {
		t.leaveClassic(i)
	}
	window := min(int(min(s.space, maxWindow)), t.window)
	if known {
		window = min(window, int(min(total, maxWindow)))
	}
	p.flight.timer.Config = p.timer
	p.flight.begin(now, s.cum, max(1, window), max(2, int(min(s.burst, maxWindow))), p.join.measured(now))
	p.flight.lastPoll = p.proof
	p.stage, p.id, p.resumed = extended, s.id, s.cum > 0
	if t.crowd.open() && s.cum == 0 {
		p.flight.grouped = true
		t.crowd.members = append(t.crowd.members, i)
	}
	r.State, r.Extended = Receiving, true
	t.credit(r, s.cum)
	if t.trace.Joined != nil {
		t.trace.Joined(PacketEvent{Addr: p.addr, Extended: true})
	}
	return nil
}

// mayJoin reports whether a status can be the answer to a HELLO, or to an applicant's POLL:
// then it may hold what has gone to the group meanwhile.
func (t *sending) mayJoin(s *status, proof uint32) bool {
	total, known := t.store.chunks()
	resumes := known && s.cum <= total && t.store.src.SHA256 != nil
	overheard := proof != 0 && s.cum < max(t.crowd.next, 1)
	return s.number == proof && s.space > 0 && (s.cum == 0 || resumes || overheard)
}

// leaveClassic takes a receiver out of the lock-step that was taken for one of the
// classic protocol only because its answer was late.
func (t *sending) leaveClassic(i int) {
	for k, of := range t.classic.peers {
		if of == i {
			t.classic.steps.leave(k)
		}
	}
}

// credit records that a receiver holds all chunks up to cum.
func (t *sending) credit(r *PeerReport, cum uint32) {
	r.Chunks = cum
	r.Bytes = int64(cum) * int64(t.mss)
	if size := t.store.size; size >= 0 {
		r.Bytes = min(r.Bytes, size)
	}
}

// retries reports whether an ABORT lets the sender try again: the receiver is busy, or it
// has discarded the beginning of the file because the digest was wrong.
func (t *sending) retries(now time.Time, i int, a *abort) bool {
	p, r, reason := &t.peers[i], &t.report.Peers[i], a.reason
	switch {
	case p.stage == joining && reason == ReasonBusy:
		if p.join.busy = true; a.token != 0 && p.join.token == 0 {
			p.join.due = now // it proves that this sender receives what is sent to it
		}
		p.join.token = a.token
		return true
	case p.stage == joining && reason == ReasonDigest && p.again:
		return true // the first answer again
	case p.stage != extended || reason != ReasonDigest || !p.resumed || p.again || t.store.at == nil:
		return false
	}
	p.stage, p.again, p.proof = joining, true, 0
	p.join = join{until: now.Add(t.join / 2)}
	p.flight = flight{}
	r.State, r.Chunks, r.Bytes = Joining, 0, 0
	return true
}

// aborted handles an ABORT: the receiver does not take the file.
func (t *sending) aborted(i int, reason Reason) error {
	p := &t.peers[i]
	if p.stage == over {
		return nil
	}
	if p.stage == classic {
		if t.report.Peers[i].Chunks > 0 {
			return ErrCategory // it takes part in the classic mode, which has no ABORT
		}
		t.leaveClassic(i)
	}
	e := &PeerError{Addr: p.addr, Seq: p.flight.cum + 1, Err: &AbortError{reason}}
	if total, known := t.store.chunks(); known && reason == ReasonUnknown && p.flight.firstFin != 0 && p.flight.cum == total {
		// It may have kept the file, and forgotten that.
		e.Seq, e.Err = total, errors.Join(ferry.ErrUnconfirmed, e.Err)
	}
	t.drop(i, e)
	return nil
}

// giveUpOn gives up a receiver of the extended mode. after is how long the sender waited.
func (t *sending) giveUpOn(i int, why error, after time.Duration) {
	p := &t.peers[i]
	e := &PeerError{Addr: p.addr, Seq: p.flight.cum + 1, Silence: after, Err: why}
	if total, known := t.store.chunks(); known && p.flight.cum == total {
		if e.Seq = total; why != errChecking {
			e.Err = ferry.ErrUnconfirmed
		}
	}
	if why == ErrStalled {
		e.Length, e.Fits = t.lengths(&p.flight)
	}
	t.tell(i, ReasonGivenUp) // it may arrive
	t.drop(i, e)
}

// lengths returns the length of the packets that do not arrive, and the length of the longest
// packets that are known to arrive. Both are 0 if the length is not the reason.
func (t *sending) lengths(f *flight) (length, fits int) {
	if f.run < suspectRun || f.sizes.whole {
		return 0, 0
	}
	return headerLen + t.mss, max(f.sizes.fits, helloMin)
}

// stalled tells the trace that no data arrives any more at a receiver or at the group.
func (t *sending) stalled(to netip.AddrPort, f *flight) {
	if t.trace.Stalled == nil {
		return
	}
	e := Stall{Addr: to, Length: headerLen + t.mss, Fits: helloMin}
	if f != nil {
		e.Length, e.Fits = t.lengths(f)
	}
	t.trace.Stalled(e)
}

// drop records that a receiver failed. Under the policy Fail it ends the transfer.
func (t *sending) drop(i int, e *PeerError) {
	t.dropped(i, e)
	if t.policy == Fail && t.failure == nil {
		t.failure = fmt.Errorf("p2mp: stopped for all: %w", e)
	}
}

func (t *sending) dropped(i int, e *PeerError) {
	p, r := &t.peers[i], &t.report.Peers[i]
	if p.unsent != nil {
		e.Err = errors.Join(e.Err, p.unsent)
	}
	p.stage = over
	r.State, r.Err = Dropped, e
	if t.trace.Dropped != nil {
		t.trace.Dropped(PacketEvent{Addr: p.addr, Err: e})
	}
}

// incomplete returns the error that names the receivers that were given up.
func (t *sending) incomplete() error {
	e := &IncompleteError{Receivers: len(t.report.Peers), Unsolicited: t.stranger}
	for i := range t.report.Peers {
		if err, ok := t.report.Peers[i].Err.(*PeerError); ok {
			e.Peers = append(e.Peers, err)
		}
	}
	if len(e.Peers) == 0 {
		return nil
	}
	return e
}
