package p2mp

import (
	"fmt"
	"hash"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
)

// A session is a transfer of the extended mode at its receiver. After its end it is
// remembered, without its sink, so that a late question finds its answer.
type session struct {
	gather
	key          sessionKey
	id           uint32 // the receiver's
	burst        uint32
	offer        ferry.Offer
	sink         ferry.Sink
	behind       []byte    // arrived with other chunks, not written yet
	hash         hash.Hash // of what was written; nil if the sink held the beginning already
	rough        bool      // chunks were lost, or came out of order, or twice
	digest       [32]byte  // what it must be, once a FIN came
	state        sessionState
	reason       Reason     // why it failed
	result       chan error // of the check, while one is under way,
	checkedSince time.Time  // which began then
	number       uint32     // of the latest FIN
	linger       time.Duration
	in, out      int64 // bytes that came, and that went out in answer
	report       Report
	start        time.Time
	expires      time.Time
}

// A sender may have several sessions, one after the other, at one receiver.
type sessionKey struct {
	from netip.AddrPort
	id   uint64
}

type sessionState uint8

const (
	underWay     sessionState = iota
	beingChecked              // complete; it is verified and committed
	whole                     // verified and committed
	failed
)

// messages takes the packets of the extended mode that are addressed to receivers.
func (v *serving) message(now time.Time, from netip.AddrPort, p Packet, length int) error {
	switch p.Category {
	case CategoryHello:
		h, err := parseHello(p.Payload)
		if err == nil {
			err = v.greeted(now, from, &h, length)
		}
		return err
	case CategoryPoll:
		q, err := parsePoll(p.Payload)
		if err != nil {
			return err
		}
		if v.told(now, sessionKey{from, q.session}) {
			return nil
		}
		s := v.session(now, from, q.session, length)
		if s != nil && q.asks(s.id) {
			v.answer(now, s, q.number)
		}
		return nil
	case CategoryFin:
		f, err := parseFin(p.Payload)
		if err != nil {
			return err
		}
		if s := v.session(now, from, f.session, length); s != nil {
			v.ended(now, s, &f)
		}
		return nil
	case CategoryAbort:
		a, err := parseAbort(p.Payload)
		if err != nil {
			return err
		}
		s := v.sessions[sessionKey{from, a.session}]
		if s == nil {
			return ErrSession
		}
		if s.state == underWay {
			v.failSession(now, s, &AbortError{a.reason}, a.reason, false)
		}
		return nil
	}
	return ErrCategory // only a receiver sends ACK and REPORT, and this is the receiver
}

// owns reports whether a DATA packet is one of this session, by its checksum.
func (s *session) owns(b []byte) (Packet, bool) {
	p, err := ParseSessionPacket(s.key.id, b)
	return p, err == nil && p.Category == CategoryData
}

// heard counts what came in of a session: answers to it are bounded by that.
func (s *session) heard(length int) { s.in += int64(length) }

// reportLen is how long a REPORT without a bitmap is.
const reportLen = headerLen + statusLen

// room is how long an answer may be. Whoever forged the sender's address must gain
// nothing by it: at most three times what came goes out (RFC 9000, section 8.1).
func (s *session) room() int64 { return 3*s.in - s.out }

// answer sends a REPORT, or an ABORT if the session has failed.
func (v *serving) answer(now time.Time, s *session, number uint32) {
	if s.state == failed {
		v.refuse(s.key.from, s.key.id, s.reason)
		return
	}
	if s.state == whole {
		v.quietUntil(now, s.linger)
	}
	room := s.room()
	if room < reportLen {
		return
	}
	v.status = status{
		session: s.key.id, id: s.id, number: number, burst: s.burst,
		clock: uint32(now.Sub(s.start).Microseconds()),
	}
	s.gather.fill(&v.status)
	v.status.held = v.status.held[:min(int64(len(v.status.held)), room-reportLen)]
	s.out += int64(reportLen + len(v.status.held))
	switch s.state {
	case beingChecked:
		v.status.progress = checking
	case whole:
		v.status.progress = kept
	}
	s.report.Peers[0].Sent++
	v.post(s.key.from, CategoryReport, &v.status)
}

// refuseSpacing is how often a poll is answered with an ABORT, at the most: all who hear a
// group hear its polls, though they may have no part in the transfer.
const refuseSpacing = 50 * time.Millisecond

// told reports whether the sender of a poll was told a moment ago that this receiver has no
// part in its session.
func (v *serving) told(now time.Time, key sessionKey) bool {
	if s := v.sessions[key]; s != nil && s.state != failed {
		return false
	}
	if key == v.refused && now.Before(v.refuseDue) {
		return true
	}
	v.refused, v.refuseDue = key, now.Add(refuseSpacing)
	return false
}

func (v *serving) refuse(to netip.AddrPort, id uint64, r Reason) {
	v.abort = abort{id, r}
	v.post(to, CategoryAbort, &v.abort)
}

// data takes a chunk that belongs to s.
func (v *serving) data(now time.Time, s *session, p Packet) error {
	what, err := s.gather.take(p)
	if err != nil {
		return err
	}
	v.extendSession(now, s, v.giveUp)
	s.rough = s.rough || what != due
	s.report.Peers[0].Duplicates += b2u(what == known)
	if v.trace.Received != nil && what != away {
		v.trace.Received(s.key.from, p.Seq, len(p.Payload), what == known)
	}
	if what != due {
		return nil
	}
	for b := p.Payload; b != nil; b = s.gather.ready() {
		if len(s.behind)+len(b) > writeBehind && !v.unload(now, s) {
			return nil
		}
		if len(s.behind) == 0 {
			v.laden = append(v.laden, s)
		}
		s.behind = append(s.behind, b...)
		s.gather.wrote(len(b))
	}
	return nil
}

// writeBehind is how much of what arrived together is written to a sink in one piece: a
// file takes 64 KiB in little more time than a chunk.
const writeBehind = 64 << 10

// unload writes what of s has not been written. It reports whether it could; otherwise the
// session has failed, and the sender is told.
func (v *serving) unload(now time.Time, s *session) bool {
	if err := s.unload(); err != nil {
		v.failSession(now, s, err, trouble(err), true)
		return false
	}
	return true
}

func (s *session) unload() error {
	b := s.behind
	if len(b) == 0 {
		return nil // or it is being checked already
	}
	s.behind = b[:0]
	if err := write(s.sink, b); err != nil {
		// What is reported is what was written.
		s.bytes -= int64(len(b))
		s.cum -= uint32((len(b) + s.mss - 1) / s.mss)
		return fmt.Errorf("p2mp: writing from chunk %d on: %w", s.cum+1, err)
	}
	if s.hash != nil {
		s.hash.Write(b)
	}
	return nil
}

// unloadAll is for the end of what arrived together.
func (v *serving) unloadAll(now time.Time) {
	for _, s := range v.laden {
		v.unload(now, s)
	}
	v.laden = v.laden[:0]
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
