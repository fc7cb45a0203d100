package p2mp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/amplify"
	"github.com/ferrygo/ferry/internal/datagram"
)

// A session is what a transfer of the extended mode has in addition.
type session struct {
	id     uint32 // of this receiver, random
	burst  uint32
	rough  bool     // chunks were lost, reordered or duplicated
	again  bool     // the file failed after a resume: the sender may offer it again
	digest [32]byte // of the file, when a FIN has arrived
	number uint32   // of the latest FIN
	budget amplify.Budget
}

// message takes a packet of the extended mode that is addressed to receivers.
func (l *recvLoop) message(now time.Time, d datagram.Packet, p Packet) error {
	switch p.Category {
	case CategoryHello:
		h, err := parseHello(p.Payload)
		if err == nil {
			err = l.hello(now, d, &h)
		}
		return err
	case CategoryPoll:
		q, err := parsePoll(p.Payload)
		if err == nil {
			l.poll(now, d, &q)
		}
		return err
	case CategoryFin:
		f, err := parseFin(p.Payload)
		if err != nil {
			return err
		}
		if t := l.find(now, d, f.session); t != nil {
			l.fin(now, t, &f)
		}
		return nil
	case CategoryAbort:
		a, err := parseAbort(p.Payload)
		if err != nil {
			return err
		}
		t := l.all[transferKey{d.Addr, a.session}]
		if t == nil || t.session == nil {
			return ErrSession
		}
		if t.state == underWay {
			l.fail(now, t, &AbortError{a.reason}, 0)
			t.reason = a.reason
		}
		return nil
	}
	return ErrCategory // only a receiver sends ACK and REPORT
}

// hello answers a HELLO.
func (l *recvLoop) hello(now time.Time, d datagram.Packet, h *hello) error {
	if t := l.all[transferKey{d.Addr, h.session}]; t != nil {
		if !t.session.again {
			t.heard(d)
			l.extend(now, t) // the sender may wait long for others to join
			l.answer(now, t, 0)
			return nil
		}
		l.forget(t)
	}
	if len(d.Data) < helloMin {
		return errMalformed // too short to be worth an answer that may be longer
	}
	if l.single && l.begun && !l.yieldsAny(now) {
		return l.occupied(now, d, h)
	}
	// Nothing is remembered of an offer that the handler need not be asked about.
	if reason := h.fault(); reason != 0 {
		l.refuse(d.Addr, d.Local, h.session, reason)
		return nil
	}
	if l.ambiguous(d.Addr, h.session) {
		l.refuse(d.Addr, d.Local, h.session, ReasonBusy)
		return ferry.ErrBusy
	}
	t := l.newSession(now, d, h)
	if err := l.admit(now, t, func() error { return l.beginSession(t, h) }); err != nil {
		l.refuse(d.Addr, d.Local, h.session, ReasonBusy)
		return err
	}
	if t.state == underWay {
		l.answer(now, t, 0)
	}
	return nil
}

// newSession returns the transfer that a HELLO offers.
func (l *recvLoop) newSession(now time.Time, d datagram.Packet, h *hello) *transfer {
	t := newTransfer(now, d, h.session, h.offer(d.Addr))
	t.chunks = &reassembly{mss: h.mss, size: h.size, memory: &l.memory}
	t.linger = l.lingerOr(DefaultLinger)
	var id [4]byte
	rand.Read(id[:]) // never fails
	t.session = &session{id: binary.BigEndian.Uint32(id[:]), burst: l.burst(h.mss)}
	t.proven = h.token != 0 && h.token == l.token(t.key)
	t.heard(d)
	return t
}

// occupied takes a HELLO that Receive cannot accept because it has a transfer. If the
// transfer is under way and the HELLO comes from its sender, the sender began another.
// Other senders are told that this receiver is busy.
func (l *recvLoop) occupied(now time.Time, d datagram.Packet, h *hello) error {
	t := l.latest[d.Addr]
	switch {
	case t != nil && t.state == underWay && h.fault() == 0:
		l.fail(now, t, errRestarted, 0)
		t.reason = ReasonUnknown
		return ferry.ErrBusy // as in the classic mode
	case t == nil && l.all[transferKey{d.Addr, 0}] == nil && len(l.active) > 0:
		l.refuse(d.Addr, d.Local, h.session, ReasonBusy)
	}
	return ferry.ErrUnsolicited
}

// ambiguous reports whether the sender has a session under way whose chunks have the same
// checksums, so that they could not be told apart.
func (l *recvLoop) ambiguous(from netip.AddrPort, id uint64) bool {
	t := l.bySum[sumKey{from, sessionSum(id)}]
	return t != nil && t.state == underWay
}

// offer is what a Handler is told of a HELLO.
func (h *hello) offer(from netip.AddrPort) ferry.Offer {
	return ferry.Offer{Addr: from, Session: h.session, Name: h.name, Size: h.size, Mode: h.mode, SHA256: h.digest}
}

// fault returns why a HELLO is refused before the handler is asked; 0: it is not.
func (h *hello) fault() Reason {
	switch {
	case h.version != version:
		return ReasonVersion
	case h.needs != 0, h.kind != digestSHA256, h.fec != 0:
		return ReasonUnsupported
	case sessionSum(h.session) == 0, h.mss < 1:
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

// beginSession asks the sink what it already holds.
func (l *recvLoop) beginSession(t *transfer, h *hello) error {
	var cum uint32
	if r, ok := t.sink.(ferry.Resumer); ok && h.digest != nil && h.size >= 0 {
		held, err := r.Resume(h.mss)
		if err == nil && (held < 0 || held > h.size || held < h.size && held%int64(h.mss) != 0) {
			err = fmt.Errorf("p2mp: a Resumer that holds %d bytes of %d, in chunks of %d", held, h.size, h.mss)
		}
		if err != nil {
			return err
		}
		cum = uint32((held + int64(h.mss) - 1) / int64(h.mss))
		t.held, t.bytes, t.written = held, held, cum
	}
	if cum == 0 {
		t.hash = sha256.New()
	}
	t.chunks.(*reassembly).begin(cum, orDefault(l.window, defaultWindow(h.mss)))
	return nil
}

// burst is how many packets are sure to find room in the conn's receive buffer. Linux
// gives twice what was asked for, and counts what it allocates: about one and a half times
// the packet and 1024 bytes.
func (l *recvLoop) burst(mss int) uint32 {
	if l.socketBuffer == 0 { // unknown
		return 2 * pollEvery
	}
	return uint32(max(2, 2*l.socketBuffer/(mss+mss/2+1024)))
}

// find returns the session that a POLL or FIN is about. If there is none, the sender is
// told that this receiver does not know it.
func (l *recvLoop) find(now time.Time, d datagram.Packet, id uint64) *transfer {
	t := l.all[transferKey{d.Addr, id}]
	if t == nil || t.session == nil {
		l.refuse(d.Addr, d.Local, id, ReasonUnknown)
		return nil
	}
	t.heard(d)
	l.extend(now, t)
	return t
}

// poll answers a POLL.
func (l *recvLoop) poll(now time.Time, d datagram.Packet, q *poll) {
	if l.told(now, transferKey{d.Addr, q.session}) {
		return
	}
	t := l.find(now, d, q.session)
	if t == nil {
		return
	}
	if t.state == underWay {
		t.chunks.(*reassembly).limit(q.highest)
	}
	if q.asks(t.session.id) {
		l.answer(now, t, q.number)
	}
}

// fin answers a FIN, and begins to commit the file if all chunks have arrived.
func (l *recvLoop) fin(now time.Time, t *transfer, f *fin) {
	s := t.session
	if t.state == underWay {
		g := t.chunks.(*reassembly)
		if !g.end(f.size) || t.offer.SHA256 != nil && *t.offer.SHA256 != f.digest {
			l.fail(now, t, fmt.Errorf("%w: the end contradicts the beginning", errDigest), ReasonDigest)
			return
		}
		s.digest, s.number = f.digest, f.number
		t.linger = l.lingerOr(min(DefaultLinger, max(minLinger, s.lingerTimers()*f.rto)))
		if g.complete() {
			if !l.save(now, t) {
				return
			}
			l.commit(now, t)
		}
	}
	l.answer(now, t, f.number)
}

// minLinger is how long a receiver lingers even if the sender's timer is very short: a
// busy machine may not run the sender again before eight such timers are over.
const minLinger = 250 * time.Millisecond

// lingerTimers is for how many of the sender's timers a receiver lingers. The timer is
// doubled with every question that remains without an answer: in eight of them the sender
// asks four times, in 64 seven times.
func (s *session) lingerTimers() time.Duration {
	if s.rough {
		return 64
	}
	return 8
}

// heard counts a packet of a session: the answers to it are bounded by what has arrived.
func (t *transfer) heard(d datagram.Packet) {
	t.session.budget.Received(len(d.Data))
	t.local = d.Local
}

// reportLen is the length of a REPORT without a bitmap.
const reportLen = headerLen + statusLen

// answer sends a REPORT, or an ABORT if the session has failed.
func (l *recvLoop) answer(now time.Time, t *transfer, number uint32) {
	s := t.session
	switch t.state {
	case failed:
		l.refuse(t.key.from, t.local, t.key.session, t.reason)
		return
	case whole:
		l.lingerUntil(now, t.linger)
	}
	room := s.budget.Room()
	if room < reportLen {
		return
	}
	l.status = status{
		session: t.key.session, id: s.id, number: number, burst: s.burst,
		clock: uint32(now.Sub(t.start).Microseconds()),
	}
	t.chunks.(*reassembly).fill(&l.status)
	l.status.held = l.status.held[:min(int64(len(l.status.held)), room-reportLen)]
	s.budget.Sent(reportLen + len(l.status.held))
	switch t.state {
	case committing:
		l.status.progress = checking
	case whole:
		l.status.progress = kept
	}
	t.peer().Sent++
	l.post(t.key.from, t.local, CategoryReport, &l.status)
}

// refuseSpacing is the minimum time between two ABORTs in answer to POLLs. A receiver in a
// group also receives the POLLs of transfers in which it takes no part.
const refuseSpacing = 50 * time.Millisecond

// told reports whether the sender of a POLL was told a moment ago that this receiver has
// no part in its session.
func (l *recvLoop) told(now time.Time, key transferKey) bool {
	if t := l.all[key]; t != nil && t.state != failed {
		return false
	}
	if key == l.refused && now.Before(l.refuseDue) {
		return true
	}
	l.refused, l.refuseDue = key, now.Add(refuseSpacing)
	return false
}

// refuse queues an ABORT.
func (l *recvLoop) refuse(to netip.AddrPort, local netip.Addr, id uint64, r Reason) {
	l.abort = abort{session: id, reason: r}
	if r == ReasonBusy {
		l.abort.token = l.token(transferKey{to, id})
	}
	l.post(to, local, CategoryAbort, &l.abort)
}

// sessionData takes a chunk of a session.
func (l *recvLoop) sessionData(now time.Time, t *transfer, d datagram.Packet) error {
	p := Packet{Session: t.key.session, Seq: binary.BigEndian.Uint32(d.Data), Category: CategoryData, Payload: d.Data[headerLen:]}
	switch {
	case p.Seq == 0:
		return ErrSequence
	case t.state == underWay:
		t.heard(d)
		return l.data(now, t, p)
	case t.state != failed:
		t.peer().Duplicates++
	}
	return nil
}
