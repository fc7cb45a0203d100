package p2mp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry/checksum"
)

// A session is a transfer of the extended mode at its receiver. After its end it is
// remembered, without its sink, so that a late question finds its answer.
type session struct {
	gather
	key     sessionKey
	id      uint32 // the receiver's
	burst   uint32
	offer   Offer
	sink    Sink
	hash    hash.Hash // of what was written; nil if the sink held the beginning already
	digest  [32]byte  // what it must be, once a FIN came
	state   sessionState
	reason  Reason     // why it failed
	result  chan error // of the check, while one is under way
	number  uint32     // of the latest FIN
	linger  time.Duration
	in, out int // bytes that came, and that went out in answer
	report  Report
	start   time.Time
	expires time.Time
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

// leastLinger is how long a receiver stays even where the sender's timer is
// very short: eight such timers are over before the machine is busy with it again.
const leastLinger = 250 * time.Millisecond

// sessionMemory is how long a finished session is remembered while Serve goes on.
const sessionMemory = time.Minute

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

// session finds the session that a POLL or FIN is about. Where there is none, the
// sender learns that this receiver knows nothing.
func (v *serving) session(now time.Time, from netip.AddrPort, id uint64, length int) *session {
	s := v.sessions[sessionKey{from, id}]
	if s == nil {
		v.refuse(from, id, ReasonUnknown)
		return nil
	}
	s.heard(length)
	if s.state == underWay || s.state == beingChecked {
		v.extendSession(now, s, v.giveUp)
	}
	return s
}

// owns reports whether a DATA packet is one of this session, by its checksum.
func (s *session) owns(b []byte) (Packet, bool) {
	p, err := ParseSessionPacket(s.key.id, b)
	return p, err == nil && p.Category == CategoryData
}

// heard counts what came in of a session: answers to it are bounded by that.
func (s *session) heard(length int) { s.in += length }

// greeted answers a HELLO.
func (v *serving) greeted(now time.Time, from netip.AddrPort, h *hello, length int) error {
	key := sessionKey{from, h.session}
	if s := v.sessions[key]; s != nil {
		s.heard(length)
		v.answer(now, s, 0)
		return nil
	}
	if length < helloMin {
		return errMalformed // too short to be worth an answer that may be longer
	}
	if v.only && v.begun {
		return ErrForeign
	}
	// Nothing is remembered of an offer that no handler need be asked about.
	if reason := h.fault(); reason != 0 {
		v.refuse(from, h.session, reason)
		return nil
	}
	if v.full() || v.alike(from, h.session) {
		v.refuse(from, h.session, ReasonBusy)
		return ErrBusy
	}
	s := &session{
		key:    key,
		offer:  h.offer(from),
		start:  now,
		report: Report{Peers: []PeerReport{{Addr: from, State: Receiving, Extended: true}}},
		linger: v.linger,
	}
	var id [4]byte
	rand.Read(id[:]) // never fails
	s.id = binary.BigEndian.Uint32(id[:])
	s.heard(length)
	v.rememberSession(s)
	if err := v.open(s, h); err != nil {
		v.failSession(now, s, fmt.Errorf("p2mp: refused: %w", err), refusal(err), true)
		return nil
	}
	v.active++
	v.extendSession(now, s, v.giveUp)
	if v.trace.Accepted != nil {
		v.trace.Accepted(s.offer)
	}
	v.answer(now, s, 0)
	return nil
}

// alike reports whether the sender has a session under way whose packets have the same sums:
// they could not be told apart.
func (v *serving) alike(from netip.AddrPort, id uint64) bool {
	for _, s := range v.bySender[from] {
		if s.state == underWay && sumOf(s.key.id) == sumOf(id) {
			return true
		}
	}
	return false
}

// sumOf is what a session adds to the checksum of its chunks.
func sumOf(session uint64) uint16 {
	var sum checksum.Partial
	sum.AddUint64(session)
	return sum.Sum()
}

// offer is what a Handler is told of a HELLO.
func (h *hello) offer(from netip.AddrPort) Offer {
	return Offer{From: from, Name: h.name, Size: h.size, Mode: h.mode, SHA256: h.digest, Extended: true}
}

// fault says what makes a HELLO one that no handler need be asked about; 0: nothing.
func (h *hello) fault() Reason {
	switch {
	case h.version != version:
		return ReasonVersion
	case h.needs != 0, h.kind != digestSHA256, h.fec != 0:
		return ReasonUnsupported
	case sumOf(h.session) == 0, sumOf(h.session) == 0xffff, h.mss < 1:
		return ReasonMalformed
	case h.mss > MaxMSS:
		return ReasonUnsupported
	case h.group.IsValid() && (!h.group.Addr().IsMulticast() || h.group.Port() == 0):
		return ReasonGroup
	case h.size >= 0 && h.size/int64(h.mss) >= math.MaxUint32:
		return ReasonTooLarge
	}
	return 0
}

// open asks the handler for a sink, and it for what it holds already.
func (v *serving) open(s *session, h *hello) error {
	sink, err := v.accept(s.offer)
	if err != nil {
		return err
	}
	s.sink = sink
	s.gather = gather{mss: h.mss, size: h.size}
	var cum uint32
	if r, ok := sink.(Resumer); ok && h.digest != nil && h.size >= 0 {
		held, err := r.Resume(h.mss)
		if err == nil && (held < 0 || held > h.size || held < h.size && held%int64(h.mss) != 0) {
			err = fmt.Errorf("p2mp: a Resumer that holds %d bytes of %d, in chunks of %d", held, h.size, h.mss)
		}
		if err != nil {
			sink.Abort(err)
			s.sink = nil
			return err
		}
		cum = uint32((held + int64(h.mss) - 1) / int64(h.mss))
	}
	if cum == 0 {
		s.hash = sha256.New()
	}
	s.gather.begin(cum, orDefault(v.window, defaultWindow(h.mss)))
	s.burst = v.burst(h.mss)
	return nil
}

// burst is how many packets are sure to find room in the conn's receive buffer. Linux
// gives twice what was asked for, and counts what it allocates: half a packet more, and
// some.
func (v *serving) burst(mss int) uint32 {
	if v.buffer == 0 { // unknown
		return 2 * pollEvery
	}
	return uint32(max(2, 2*v.buffer/(mss+mss/2+1024)))
}

// answer sends a REPORT, or an ABORT if the session has failed.
func (v *serving) answer(now time.Time, s *session, number uint32) {
	if s.state == failed {
		v.refuse(s.key.from, s.key.id, s.reason)
		return
	}
	if s.state == whole {
		v.quietUntil(now, s.linger)
	}
	v.status = status{
		session: s.key.id, id: s.id, number: number, burst: s.burst,
		clock: uint32(now.Sub(s.start).Microseconds()),
	}
	s.gather.fill(&v.status)
	s.out += headerLen + statusLen
	// Whoever forged the sender's address must gain nothing by it: at most three
	// times what came goes out (RFC 9000, section 8.1).
	v.status.held = v.status.held[:max(0, min(len(v.status.held), 3*s.in-s.out))]
	s.out += len(v.status.held)
	switch s.state {
	case beingChecked:
		v.status.progress = checking
	case whole:
		v.status.progress = kept
	}
	s.report.Peers[0].Sent++
	v.post(s.key.from, CategoryReport, &v.status)
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
	s.report.Peers[0].Duplicates += b2u(what == known)
	if v.trace.Received != nil && what != away {
		v.trace.Received(s.key.from, p.Seq, len(p.Payload), what == known)
	}
	if what != due {
		return nil
	}
	for b := p.Payload; b != nil; b = s.gather.ready() {
		if err := write(s.sink, b); err != nil {
			v.failSession(now, s, fmt.Errorf("p2mp: writing chunk %d: %w", s.cum+1, err), ReasonStorage, true)
			return nil
		}
		if s.hash != nil {
			s.hash.Write(b)
		}
		s.gather.wrote(len(b))
	}
	return nil
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// ended takes a FIN: it answers it, and begins to check the file if it is all there.
func (v *serving) ended(now time.Time, s *session, f *fin) {
	if s.state == underWay {
		if !s.gather.end(f.size) || s.offer.SHA256 != nil && *s.offer.SHA256 != f.digest {
			v.failSession(now, s, fmt.Errorf("%w: the end contradicts the beginning", ErrDigest), ReasonDigest, true)
			return
		}
		s.digest, s.number = f.digest, f.number
		if v.lingers == 0 { // not told otherwise
			s.linger = min(DefaultLinger, max(leastLinger, 8*f.rto))
		}
		if s.gather.complete() {
			v.check(s)
		}
	}
	v.answer(now, s, f.number)
}

// check verifies and commits the file in a goroutine: a digest of what lies on a disk,
// and bringing a file safely there, may take longer than others may wait.
func (v *serving) check(s *session) {
	s.state = beingChecked
	s.result = make(chan error, 1)
	v.checks++
	go func() { s.result <- s.verify() }()
}

// verify runs in a goroutine of its own, which owns the sink meanwhile.
func (s *session) verify() error {
	h := s.hash
	if h == nil {
		h = sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(s.sink.(Resumer), 0, s.size)); err != nil {
			return fmt.Errorf("p2mp: reading the file again: %w", err)
		}
	}
	if [32]byte(h.Sum(nil)) != s.digest {
		return ErrDigest
	}
	if err := s.sink.Commit(); err != nil {
		return &commitError{err}
	}
	return nil
}

// A commitError is an error of Commit, after which Abort must not be called.
type commitError struct{ err error }

func (e *commitError) Error() string { return "p2mp: keeping the file: " + e.err.Error() }
func (e *commitError) Unwrap() error { return e.err }

// checked ends the sessions whose check has come to a result. The sender, which waits
// for it, is told without being asked.
func (v *serving) checked(now time.Time) {
	for _, s := range v.sessions {
		if s.state != beingChecked {
			continue
		}
		select {
		case err := <-s.result:
			v.settle(now, s, err)
			v.answer(now, s, s.number)
		default:
		}
	}
}

// settle records the result of a check.
func (v *serving) settle(now time.Time, s *session, err error) {
	v.checks--
	switch {
	case err == nil:
		v.complete++
		v.finishSession(now, s, whole, nil)
	case errors.Is(err, ErrDigest):
		v.failSession(now, s, err, ReasonDigest, false)
	default:
		reason := refusal(err)
		if reason == ReasonRefused {
			reason = ReasonStorage
		}
		v.failSession(now, s, err, reason, false)
	}
}

// failSession ends a session that is under way, or was never opened. tell says whether
// the sender must be told.
func (v *serving) failSession(now time.Time, s *session, err error, reason Reason, tell bool) {
	if _, committed := errors.AsType[*commitError](err); s.sink != nil && !committed {
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
	s.sink, s.hash = nil, nil
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
	v.extendSession(now, s, sessionMemory)
	if v.trace.Finished != nil {
		v.trace.Finished(s.offer, s.report.clone(), err)
	}
}

func (v *serving) extendSession(now time.Time, s *session, d time.Duration) {
	s.expires = now.Add(d)
	v.wake = earlier(v.wake, s.expires)
}

// rememberSession makes s known, and forgets the finished session that would have been
// forgotten next where there are too many.
func (v *serving) rememberSession(s *session) {
	v.begun, v.lastReport = true, &s.report
	if len(v.sessions)/2 >= v.room {
		var oldest *session
		for _, s := range v.sessions {
			if (s.state == whole || s.state == failed) && (oldest == nil || s.expires.Before(oldest.expires)) {
				oldest = s
			}
		}
		if oldest != nil {
			v.forget(oldest)
		}
	}
	v.sessions[s.key] = s
	v.bySender[s.key.from] = append(v.bySender[s.key.from], s)
}

func (v *serving) forget(s *session) {
	delete(v.sessions, s.key)
	of := v.bySender[s.key.from]
	for i := range of {
		if of[i] == s {
			of = append(of[:i], of[i+1:]...)
			break
		}
	}
	if len(of) == 0 {
		delete(v.bySender, s.key.from)
	} else {
		v.bySender[s.key.from] = of
	}
}
