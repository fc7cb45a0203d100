package p2mp

import (
	"errors"
	"net/netip"
	"slices"
	"time"
)

// latest returns a sender's latest session, or nil.
func (v *serving) latest(from netip.AddrPort) *session {
	of := v.bySender[from]
	if len(of) == 0 {
		return nil
	}
	return of[len(of)-1]
}

// leastLinger is how long a receiver stays even where the sender's timer is
// very short: eight such timers are over before the machine is busy with it again.
const leastLinger = 250 * time.Millisecond

// lingerTimers is for how many of the sender's timers a receiver stays. The timer is
// doubled with every question that remains without an answer: in eight of them it asks
// four times, in 64 seven times.
func (s *session) lingerTimers() time.Duration {
	if s.rough {
		return 64
	}
	return 8
}

// sessionMemory is how long a finished session is remembered, while Serve goes on, after
// the last question about it; or Receiver.GiveUp, if that is longer.
const sessionMemory = time.Minute

// session finds the session that a POLL or FIN is about. Where there is none, the
// sender learns that this receiver knows nothing.
func (v *serving) session(now time.Time, from netip.AddrPort, id uint64, length int) *session {
	s := v.sessions[sessionKey{from, id}]
	if s == nil {
		v.refuse(from, id, ReasonUnknown)
		return nil
	}
	s.heard(length)
	v.extendSession(now, s, v.patience(s))
	return s
}

// failSession ends a session that is under way, or was never opened. tell says whether
// the sender must be told.
func (v *serving) failSession(now time.Time, s *session, err error, reason Reason, tell bool) {
	if _, committed := errors.AsType[*commitError](err); s.sink != nil && !committed {
		_ = s.unload() // a Resumer keeps it
		s.sink.Abort(err)
	}
	s.reason = reason
	v.finishSession(now, s, failed, err)
	if tell {
		v.refuse(s.key.from, s.key.id, reason)
	}
}

// finishSession notes how a session ended.
func (v *serving) finishSession(now time.Time, s *session, state sessionState, err error) {
	if s.sink != nil {
		v.active--
	}
	s.sink, s.hash, s.behind = nil, nil, nil
	s.slots, s.spare = make([][]byte, 1), nil
	s.state = state
	v.err = err
	s.report.Bytes, s.report.Chunks = s.bytes, s.cum
	s.report.Elapsed = now.Sub(s.start)
	peer := &s.report.Peers[0]
	peer.Bytes, peer.Chunks, peer.Err = s.bytes, s.cum, err
	if peer.State = Dropped; err == nil {
		peer.State, peer.Elapsed = Complete, s.report.Elapsed
		v.quietUntil(now, s.linger)
	}
	v.finished = append(v.finished, s)
	v.extendSession(now, s, v.patience(s))
	if v.trace.Finished != nil {
		v.trace.Finished(s.offer, s.report.clone(), err)
	}
}

// patience is for how long a session may be silent before its sender is given up, or, when
// it has ended, before it is forgotten.
func (v *serving) patience(s *session) time.Duration {
	if s.state == underWay || s.state == beingChecked {
		return v.giveUp
	}
	return max(sessionMemory, v.giveUp)
}

func (v *serving) extendSession(now time.Time, s *session, d time.Duration) {
	s.expires = now.Add(d)
	v.wake = earlier(v.wake, s.expires)
}

// rememberSession makes s known, and forgets the session that ended first where there are
// too many.
func (v *serving) rememberSession(s *session) {
	v.begun, v.lastReport = true, &s.report
	if len(v.sessions)/2 >= v.room && len(v.finished) > 0 {
		v.forget(v.finished[0])
	}
	v.sessions[s.key] = s
	v.bySender[s.key.from] = append(v.bySender[s.key.from], s)
}

func (v *serving) forget(s *session) {
	delete(v.sessions, s.key)
	v.finished = without(v.finished, s)
	if of := without(v.bySender[s.key.from], s); len(of) > 0 {
		v.bySender[s.key.from] = of
	} else {
		delete(v.bySender, s.key.from)
	}
}

// without takes s out of a list.
func without(list []*session, s *session) []*session {
	if i := slices.Index(list, s); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}
