package directory

import (
	"container/heap"
	"hash/maphash"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// A dispatcher is a directory without its conn: it takes the datagrams that arrive, and
// queues the datagrams to send. It reads no socket and no clock.
//
// Most datagrams are an update in one piece that says nothing new. Such a one costs a
// look at the registry and an acknowledgement, and leaves no trace. Everything else has
// a session.
type dispatcher struct {
	registry   *registry
	local      netip.AddrPort // the directory's own address
	asked      netip.Addr     // the one that the current datagram was sent to, if that is known
	anyAddress bool
	limits     dispatcherLimits
	trace      Trace
	stats      Stats

	seed     maphash.Seed
	sessions map[netip.AddrPort]*session
	progress [2]queue[session] // by the latest progress: of addresses that proved nothing, and of others
	held     int               // bytes of requests and answers
	wakes    sessionHeap
	tokens   tokens
	shown    listing
	body     []byte // of the latest listing

	out     []datagram.Packet
	arena   []byte // what out's packets hold
	gone    []netip.AddrPort
	found   []netip.AddrPort
	scratch []byte
}

// dispatcherLimits bound what the network can make a dispatcher keep.
type dispatcherLimits struct {
	request  int // bytes of a request
	answer   int // bytes of an answer
	sources  int // in an answer to a look-up
	sessions int
}

const (
	// giveUpAfter is how long a session without progress is kept.
	giveUpAfter = 5 * time.Second
	// expiriesPerTurn is how much of the registry's expiry is done for each batch of
	// datagrams at most.
	expiriesPerTurn = 64
)

// begin forgets what was sent: the memory is used again.
func (d *dispatcher) begin() { d.out, d.arena = d.out[:0], d.arena[:0] }

// arrived takes a datagram, which was sent to the address d.asked of this host.
func (d *dispatcher) arrived(now time.Time, from netip.AddrPort, b []byte) {
	d.stats.Received++
	own := from == d.local || from == netip.AddrPortFrom(d.asked, d.local.Port())
	if own || from.Port() == 0 {
		d.ignore(from, ferry.ErrUnsolicited)
		return
	}
	p, err := parsePacket(b)
	switch {
	case len(b) > readSize:
		err = ErrTooLong
	case err != nil:
	case p.isAck():
		err = d.acked(now, from, p, len(b))
	case !p.typ.isRequest():
		err = ErrUnexpected // an answer: it came from another directory, or from nowhere
	case p.total == 1 && (p.typ == Update || p.typ == Exit):
		d.whole(now, from, p, b)
	default:
		err = d.fragment(now, from, p, b)
	}
	if err != nil {
		d.ignore(from, err)
	}
}

// ignore counts a datagram that is ignored.
func (d *dispatcher) ignore(from netip.AddrPort, err error) {
	if err == ferry.ErrUnsolicited {
		d.stats.Unsolicited++
	} else {
		d.stats.Unexpected++
	}
	if d.trace.Ignored != nil {
		d.trace.Ignored(Event{Addr: from, Err: err})
	}
}

// whole takes an update or exit of one fragment, which needs no session unless it is
// refused: nothing is remembered of it, and a repetition does the same again.
func (d *dispatcher) whole(now time.Time, from netip.AddrPort, p packet, b []byte) {
	s := d.sessions[from]
	again := s != nil && s.refused && s.answering() && s.latest == d.digest(b)
	_, code, ok := d.handle(now, from, p.typ, p.body, again)
	if ok {
		if again {
			d.close(s)
		}
		d.acknowledge(from, p)
		return
	}
	if again {
		s.budget.Received(len(b)) // the refusal is under way
		d.unhold(s)
		return
	}
	s = d.open(now, from, p)
	s.budget.Received(len(b))
	s.latest, s.next = d.digest(b), 2
	d.refuse(now, s, code, p, len(b))
}

// fragment takes a fragment of a request.
func (d *dispatcher) fragment(now time.Time, from netip.AddrPort, p packet, b []byte) error {
	s := d.sessions[from]
	sum := d.digest(b)
	switch {
	case s != nil && p.seq == s.next-1 && sum == s.latest && (s.answering() || p.total > 1):
		d.repeated(now, s, p, len(b))
		return nil
	case s != nil && p.seq == 1 && s.opening == sum && s.next <= s.total:
		return ErrUnexpected // a late copy of this request's beginning
	case p.seq == 1:
		// Fragment 1 with other content starts a new request, and so does a request
		// whose answer is complete.
		if p.total > d.limits.request/2 { // two bytes are the shortest fragment that says anything
			return ErrTooLong
		}
		s = d.open(now, from, p)
		s.opening = sum
	case s == nil, s.refused, p.seq != s.next, p.typ != s.typ, p.total != s.total:
		return ErrUnexpected
	}
	s.budget.Received(len(b))
	s.latest = sum
	s.next++
	d.moved(now, s)
	if len(s.body)+len(p.body) > d.limits.request {
		s.body = nil
		d.refuse(now, s, CodeTooLong, p, len(b))
		return nil
	}
	if s.total == 1 {
		s.body = p.body // for the moment
	} else {
		s.body = append(s.body, p.body...)
		d.account(s)
	}
	if s.next <= s.total {
		if s.typ == Update {
			d.keepAlive(now, s)
		}
		d.reply(s, p)
		return nil
	}
	d.complete(now, s, p, len(b))
	s.body = nil
	return nil
}

// keepAlive renews the peer of an update that is still arriving: a long one may take longer
// than the expiry.
func (d *dispatcher) keepAlive(now time.Time, s *session) {
	if peer, _, ok := d.subject(s.from, s.body); ok && d.maySpeakFor(s.from, peer) {
		d.registry.keep(now, peer)
	}
}

// repeated takes the fragment that was accepted last, once more: "If a duplicate packet
// is received it drops the packet and resends the acknowledgement" (CEN 502 project 2,
// part II, 1.1).
func (d *dispatcher) repeated(now time.Time, s *session, p packet, n int) {
	d.stats.Duplicates++
	s.budget.Received(n)
	s.timer.heard()
	if !s.answering() {
		d.moved(now, s) // whoever sent it is still there
	}
	d.unhold(s)
	if s.refused {
		return
	}
	if s.typ == Update && s.next > s.total {
		d.registry.keep(now, s.peer)
	}
	d.reply(s, p)
}

// complete does what a request asks for, now that all of it is there. p is its last
// fragment.
func (d *dispatcher) complete(now time.Time, s *session, p packet, n int) {
	answer, code, ok := d.handle(now, s.from, s.typ, s.body, false)
	if !ok && (s.typ == Update || s.typ == Exit) {
		d.refuse(now, s, code, p, n)
		return
	}
	d.reply(s, p)
	switch {
	case code == CodeNotFound:
		name, _ := nextWord(s.body)
		d.fail(now, s, code, name, n)
	case !ok:
		d.fail(now, s, code, nil, n)
	case s.typ == Lookup && !s.setAnswer(Found, answer, n, &d.tokens):
		d.fail(now, s, CodeTooLong, nil, n)
	case s.typ == Lookup:
		d.answer(now, s)
	case s.typ == View:
		d.view(now, s, n)
		d.answer(now, s)
	case s.typ == Update:
		s.peer, _, _ = d.subject(s.from, s.body)
	}
}

// view answers with as much of the listing as there may be, and as fits the request:
// the shortest has room for a TOTAL of one digit only.
func (d *dispatcher) view(now time.Time, s *session, n int) {
	key, _ := nextWord(s.body)
	if _, err := parseField(key); err != nil {
		key = noToken
	}
	for most := d.limits.answer; !s.setAnswer(Listing, d.listing(now, key, most), n, &d.tokens); {
		most /= 2
	}
}

// acked takes an acknowledgement.
func (d *dispatcher) acked(now time.Time, from netip.AddrPort, p packet, n int) error {
	s := d.sessions[from]
	if s == nil || !s.answering() || !p.acknowledges(s.answer.at(s.current)) {
		return ErrUnexpected
	}
	if !s.budget.Proved() {
		s.budget.Prove() // the acknowledgement holds the token
		d.progress[0].remove(&s.place)
		if s.token == tokenLen {
			d.registry.prove(now, from.Addr())
		}
	}
	s.held = false
	if s.tries == 1 {
		s.timer.sample(now.Sub(s.first))
	} else {
		s.timer.heard()
	}
	if s.current == s.answer.total() {
		d.stats.Answered++
		d.finish(s)
		return nil
	}
	s.current++
	s.tries = 0
	d.moved(now, s)
	d.transmit(now, s)
	return nil
}

// finish ends a session whose answer is done. A request of several fragments is
// remembered, so that a late copy of its last one does not start anything.
func (d *dispatcher) finish(s *session) {
	s.current = 0
	s.answer = fragments{}
	if s.total == 1 {
		d.close(s)
		return
	}
	d.schedule(s, s.moved.Add(giveUpAfter))
}

// acknowledge sends the acknowledgement of p.
func (d *dispatcher) acknowledge(to netip.AddrPort, p packet) int {
	return d.send(to, d.asked, ackOf(p))
}

// reply acknowledges a fragment of a session.
func (d *dispatcher) reply(s *session, p packet) { s.budget.Sent(d.acknowledge(s.from, p)) }

// refuse answers an update or exit instead of acknowledging it, so that whoever sent it
// cannot take it for done.
func (d *dispatcher) refuse(now time.Time, s *session, code Code, p packet, n int) {
	s.refused = true
	d.fail(now, s, code, nil, n)
}

// fail begins the answer that a request is refused. name is the name in a look-up that no
// peer has, as the look-up encodes it. A request that is too short even for this gets no
// answer.
func (d *dispatcher) fail(now time.Time, s *session, code Code, name []byte, n int) {
	d.stats.Refused++
	if d.trace.Refused != nil {
		d.trace.Refused(Event{Addr: s.from, Request: s.typ, Code: code})
	}
	if !s.setAnswer(Failure, failureBody(code, s.typ, name), n, &d.tokens) {
		d.close(s)
		return
	}
	d.transmit(now, s)
}

// answer begins to send the answer.
func (d *dispatcher) answer(now time.Time, s *session) {
	d.account(s)
	d.transmit(now, s)
}

// transmit sends the fragment in flight, unless that would be too much for an address
// that has proved nothing.
func (d *dispatcher) transmit(now time.Time, s *session) {
	p := s.answer.at(s.current)
	d.scratch = appendPacket(d.scratch[:0], p)
	if !s.budget.Allows(len(d.scratch)) {
		s.held = true
		d.schedule(s, s.moved.Add(giveUpAfter))
		return
	}
	if s.tries == 0 {
		s.first = now
	} else {
		s.timer.timedOut()
		d.stats.Retransmitted++
	}
	s.tries++
	s.last = now
	s.budget.Sent(d.send(s.from, s.local, p))
	d.schedule(s, s.due())
}

// unhold lets a transmission that waited for bytes from the address be tried again.
func (d *dispatcher) unhold(s *session) {
	if s.held {
		s.held = false
		d.schedule(s, s.due())
	}
}

// send queues a datagram from an address of this host and returns its length.
func (d *dispatcher) send(to netip.AddrPort, local netip.Addr, p packet) int {
	start := len(d.arena)
	d.arena = appendPacket(d.arena, p)
	b := d.arena[start:len(d.arena):len(d.arena)]
	d.out = append(d.out, datagram.Packet{Data: b, Addr: to, Local: local})
	d.stats.Sent++
	return len(b)
}

// open begins a session with the first fragment of a request. What the address had
// begun is over.
func (d *dispatcher) open(now time.Time, from netip.AddrPort, p packet) *session {
	if old := d.sessions[from]; old != nil {
		d.close(old)
	}
	if len(d.sessions) >= d.limits.sessions {
		d.evict()
	}
	s := &session{from: from, local: d.asked, typ: p.typ, total: p.total, next: 1, wake: now.Add(giveUpAfter)}
	s.place.owner = s
	d.sessions[from] = s
	heap.Push(&d.wakes, s)
	d.moved(now, s)
	return s
}

// evict forgets the session without progress for the longest time, one of an address that
// proved nothing if there is one.
func (d *dispatcher) evict() {
	oldest := d.progress[0].oldest
	if oldest == nil {
		oldest = d.progress[1].oldest
	}
	d.stats.Evicted++
	d.close(oldest.owner)
}

// account counts the memory that a session takes, and evicts others if all take too much.
func (d *dispatcher) account(s *session) {
	bytes := cap(s.body) + cap(s.answer.body) + 8*cap(s.answer.ends)
	d.held += bytes - s.bytes
	s.bytes = bytes
	for d.held > maxHeld && len(d.sessions) > 1 {
		d.progress[s.queue()].touch(&s.place)
		d.evict()
	}
}

// maxHeld bounds the bytes of all requests and answers that are under way.
const maxHeld = 64 << 20

// close forgets a session.
func (d *dispatcher) close(s *session) {
	delete(d.sessions, s.from)
	d.progress[s.queue()].remove(&s.place)
	d.held -= s.bytes
	heap.Remove(&d.wakes, s.index)
}

// moved notes progress.
func (d *dispatcher) moved(now time.Time, s *session) {
	s.moved = now
	d.progress[s.queue()].touch(&s.place)
	if !s.answering() {
		d.schedule(s, now.Add(giveUpAfter))
	}
}

// schedule sees to it that tick looks at s in time.
func (d *dispatcher) schedule(s *session, at time.Time) {
	s.wake = at
	if end := s.moved.Add(giveUpAfter); end.Before(at) {
		s.wake = end
	}
	heap.Fix(&d.wakes, s.index)
}

// tick does what is due at now, and says when to call it again if nothing arrives
// before.
func (d *dispatcher) tick(now time.Time) (wake time.Time) {
	for len(d.wakes) > 0 && !now.Before(d.wakes[0].wake) {
		s := d.wakes[0]
		switch {
		case now.Sub(s.moved) >= giveUpAfter:
			if s.answering() {
				d.stats.Unconfirmed++
			}
			d.close(s)
		case s.answering():
			d.transmit(now, s)
		}
	}
	d.gone = d.registry.expire(now, expiriesPerTurn, d.gone[:0])
	d.stats.Expired += uint64(len(d.gone))
	if d.trace.Removed != nil {
		for _, peer := range d.gone {
			d.trace.Removed(Event{Addr: peer, Expired: true})
		}
	}
	wake, ok := d.registry.wake()
	if len(d.wakes) > 0 && (!ok || d.wakes[0].wake.Before(wake)) {
		wake = d.wakes[0].wake
	}
	return wake
}

func (d *dispatcher) digest(b []byte) uint64 { return maphash.Bytes(d.seed, b) }
