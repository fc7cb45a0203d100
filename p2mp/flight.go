package p2mp

import (
	"time"

	"github.com/ferrygo/ferry/internal/rtt"
)

const (
	// pollEvery is how many chunks are sent between two polls: so feedback stays near 1
	// % of the data.
	pollEvery = 96
	// pollSoon is what the chunks between two polls take at least, unless they are
	// pollMost: a fast path gains nothing by more answers.
	pollSoon = 10 * time.Millisecond
	pollMost = 128
	// pollTime, or two round trips, is what the chunks between two polls may take; but
	// pollLeast there are, so that feedback stays below 2 %, the beginning apart.
	pollTime  = 100 * time.Millisecond
	pollLeast = 52
	// asideAfter is how many polls in a row a receiver leaves unanswered before it is
	// set aside: only polled, until it answers.
	asideAfter = 4
	// maxSlack is how many chunks may be under way beyond what the path holds.
	maxSlack = 2 * pollEvery
	// keepAlive is how often a receiver is asked while there is nothing to send it: it
	// would give the sender up otherwise.
	keepAlive = 3 * time.Second
	// pollMemory is how many polls may be under way and still be measured.
	pollMemory = 64
)

// A flight decides which chunks one receiver of the extended mode is sent, when, and
// when it is asked what it has: selective repeat. It reads no socket and no clock.
//
// A chunk is taken for lost, and sent again, only if it was missing in the answer to a
// poll that was sent after the chunk was sent last.
type flight struct {
	timer rtt.Estimator
	cc    congestion
	sizes sizeSearch // while nothing arrives

	cum  uint32 // the receiver holds all chunks up to this one
	next uint32 // the lowest chunk that was never sent
	// overheard is the highest chunk that was sent to the group: a receiver may have it
	// from there, though it was not meant to.
	overheard uint32
	slots     []slot // of chunk n: slots[n%len]; those after cum, len of them at most

	underWay int // chunks sent, and not known to be held or lost
	missing  int // chunks known to be lost
	scan     uint32

	polls     [pollMemory]polled
	lastPoll  uint32 // number of the latest poll; 0: none
	sincePoll int    // chunks sent since then
	pollDue   time.Time
	waiting   bool      // the latest poll is unanswered
	askedAt   time.Time // when the first poll since the latest answer was sent
	silent    int       // polls in a row that timed out
	answered  uint32
	mark      polled // where the rate is measured from

	resting  bool // it has answered the latest poll, and is asked again at pollDue
	checking bool // it has everything, and checks

	start    time.Time
	disorder time.Duration // how much later than the next a chunk may arrive
	copies   int           // chunks that arrived more than once
	lastHeld int           // delivered, when copies were counted
	firstFin uint32        // number of the first FIN; 0: none yet
	owed     time.Time     // since when chunks, or the end, are under way without progress; zero: not
	floor    floor
	waits    time.Time // since when the next chunk waits for the sender's rate; zero: it does not
	checkAt  time.Time // when the receiver said first that it checks
	heard    time.Time // when it answered last

	order     uint32 // chunks sent to it, alone or through the group,
	arrived   uint32 // and the latest of them that is known to have arrived
	run       int    // the latest chunks that were lost in a row
	packets   int    // chunks sent to it, each time that they were,
	toGroup   int    // and to the group, which it may hear
	delivered int    // chunks known to be held
	limited   bool   // there was nothing to send since the rate was measured last
	pacer

	grouped  bool // it is sent to with the crowd
	finished bool // the receiver said that it keeps the file
}

// A pacer spreads chunks over time.
type pacer struct {
	credit   int       // chunks that may leave now,
	nextSend time.Time // and when more may
}

// A slot is what is known about one chunk.
type slot struct {
	state slotState
	poll  uint32        // the first poll after the chunk was sent last
	order uint32        // how many chunks had been sent then, with this one
	sent  time.Duration // when that was, since the flight began
}

type slotState uint8

const (
	unsent slotState = iota
	flying
	missing
	held
)

// polled records the state when a poll was sent and when it was answered.
type polled struct {
	number   uint32
	sent     time.Time
	answered time.Time
	packets  int    // sent before
	order    uint32 // likewise, of those that are meant for the receiver
	clock    uint32 // the receiver's when it answered, in microseconds
	received int    // packets that had arrived there
	probed   bool   // the packets before it were sent faster than the rate
}

// begin starts the flight. The receiver already holds all chunks up to cum and has space
// for window chunks after it. rtt is the round trip of the HELLO, 0 if it was not measured.
func (f *flight) begin(now time.Time, cum uint32, window, burst int, rtt time.Duration) {
	f.cum, f.next, f.scan = cum, cum+1, cum+1
	f.slots = make([]slot, window)
	// Packets beyond the content of the path wait in the receiver's socket.
	f.cc.slack = min(maxSlack, burst)
	f.start, f.nextSend = now, now
	f.resting, f.pollDue = true, now.Add(keepAlive)
	if rtt > 0 {
		f.timer.Sample(rtt)
		f.cc.minRTT, f.cc.minAt = rtt, now
	}
}

func (f *flight) slot(seq uint32) *slot { return &f.slots[seq%uint32(len(f.slots))] }

// An act is what to send next.
type act int

const (
	nothing  act = iota // until the time given
	newChunk            // a chunk for the first time
	oldChunk            // a chunk that was lost
	askPoll             // a POLL, or a FIN where all was sent
)

// act returns what to send at now. If that is nothing, wake is when to call act again; zero
// means when a packet arrives. available is the highest chunk that can be sent; if all is
// set, it is the last chunk of the file. The caller then calls sent or asked.
func (f *flight) act(now time.Time, available uint32, all bool) (a act, seq uint32, wake time.Time) {
	if (f.waiting || f.resting) && !now.Before(f.pollDue) { // overdue, or for company
		if f.waiting {
			f.timer.TimedOut()
			f.silent++
		}
		return askPoll, 0, now
	}
	switch {
	case f.silent >= asideAfter: // set aside
		return nothing, 0, f.pollDue
	case f.sincePoll >= f.interval():
		return askPoll, 0, now
	}
	a, seq = f.pick(available)
	switch {
	case a == nothing:
		f.limited = true
		if all && !f.checking && (f.sincePoll > 0 || !f.waiting) {
			return askPoll, 0, now // it may have everything
		}
	case f.underWay >= f.room():
		a = nothing
	case f.cc.waits(now):
		return nothing, 0, f.earliest(f.cc.due)
	case f.holds(now):
		return nothing, 0, f.earliest(f.nextSend)
	default:
		return a, seq, now
	}
	if f.sincePoll > 0 && !f.waiting {
		return askPoll, 0, now // nothing else would open the window again
	}
	return nothing, 0, f.earliest(time.Time{})
}

// earliest is t, or when the next poll is due.
func (f *flight) earliest(t time.Time) time.Time {
	if f.waiting || f.resting {
		return earlier(t, f.pollDue)
	}
	return t
}

// interval is how many chunks are sent between polls.
func (f *flight) interval() int { return f.cc.interval() }

// room is how many packets may be under way.
func (f *flight) room() int { return f.cc.room() }

// pick returns the chunk to send next: a lost one first.
func (f *flight) pick(available uint32) (act, uint32) {
	if f.missing > 0 {
		for f.slot(f.scan).state != missing {
			f.scan++
		}
		return oldChunk, f.scan
	}
	for f.next <= f.overheard && f.next-f.cum <= uint32(len(f.slots)) && f.slot(f.next).state == held {
		f.next++
	}
	if f.next != 0 && f.next <= available && f.next-f.cum <= uint32(len(f.slots)) {
		return newChunk, f.next
	}
	return nothing, 0
}

// sent notes that chunk seq was sent.
func (f *flight) sent(now time.Time, seq uint32) {
	f.noted(now, seq, f.lastPoll+1)
	f.packets++
	f.spend(now, f.cc.pace())
}

// noted records that chunk seq was sent, to this receiver or to the group. The answer to
// the given poll is the first that says whether the chunk arrived.
func (f *flight) noted(now time.Time, seq, poll uint32) {
	s := f.slot(seq)
	if s.state == missing {
		f.missing--
	} else {
		f.next++
	}
	f.endWait(now)
	f.floor.begin(now, f.delivered)
	f.order++
	*s = slot{flying, poll, f.order, now.Sub(f.start)}
	if f.owed.IsZero() {
		f.owed = now
	}
	f.underWay++
	f.sincePoll++
}

// spend takes one chunk from what may leave.
func (p *pacer) spend(now time.Time, pace float64) {
	if p.credit == 0 {
		p.credit = p.quantum(now, pace)
	}
	p.credit--
}

// holds reports whether the next chunk must wait, until nextSend.
func (p *pacer) holds(now time.Time) bool { return p.credit == 0 && now.Before(p.nextSend) }

// quantum returns how many chunks may be sent at once, and moves nextSend by the time that
// they take. It is the number for half a millisecond: fast paths get batches, slow paths
// get no bursts. pace is in chunks per second, 0 if it is not known.
func (p *pacer) quantum(now time.Time, pace float64) int {
	if pace <= 0 {
		return 1
	}
	n := max(1, min(32, int(pace/2000)))
	d := time.Duration(float64(n) / pace * float64(time.Second))
	// A late caller may make up for at most a millisecond.
	if late := now.Add(-max(time.Millisecond, d)); p.nextSend.Before(late) {
		p.nextSend = late
	}
	p.nextSend = p.nextSend.Add(d)
	return n
}

// asked notes that a poll was sent, and returns its number.
func (f *flight) asked(now time.Time) uint32 {
	f.askedAs(now, f.lastPoll+1)
	return f.lastPoll
}

// askedAs notes that a poll was sent that has a number above all before.
func (f *flight) askedAs(now time.Time, number uint32) {
	f.lastPoll = number
	f.polls[number%pollMemory] = polled{number: number, sent: now, packets: f.packets + f.toGroup, order: f.order, probed: f.cc.asked(now)}
	f.sincePoll = 0
	if f.waiting, f.resting = true, false; f.askedAt.IsZero() {
		f.askedAt = now
	}
	f.pollDue = now.Add(f.timer.RTO())
}

// ending notes that poll number is a FIN.
func (f *flight) ending(now time.Time, number uint32) {
	if f.firstFin == 0 {
		f.firstFin = number
	}
	if f.owed.IsZero() {
		f.owed = now
	}
}

// unanswered returns since when the receiver owes an answer, and whether it does.
func (f *flight) unanswered() (since time.Time, owes bool) { return f.askedAt, !f.askedAt.IsZero() }

// stalled reports whether the receiver answers while no missing chunk arrives, and since
// when. A receiver that has not answered since then is silent, not stalled.
func (f *flight) stalled() (since time.Time, stalls bool) {
	return f.owed, !f.owed.IsZero() && f.waits.IsZero() && f.heard.After(f.owed)
}

// wait records that the next chunk waits for the rate that all receivers share. That time
// does not count against the receiver.
func (f *flight) wait(now time.Time) {
	if f.waits.IsZero() {
		f.waits = now
	}
}

// endWait subtracts the time that a chunk waited for the rate from the receiver's delay.
func (f *flight) endWait(now time.Time) {
	if f.waits.IsZero() {
		return
	}
	d := now.Sub(f.waits)
	if f.waits = (time.Time{}); !f.owed.IsZero() {
		f.owed = f.owed.Add(d)
	}
	f.floor.since = f.floor.since.Add(d)
}

// slow reports whether the receiver took fewer than least chunks in a period.
func (f *flight) slow(now time.Time, period time.Duration, least int) bool {
	return f.waits.IsZero() && f.floor.below(now, period, f.delivered, least)
}

// A floor checks the minimum that a receiver must take. A period begins when there is data
// to take; the next begins when it ends.
type floor struct {
	begun bool
	since time.Time
	had   int // chunks delivered then
}

func (l *floor) begin(now time.Time, delivered int) {
	if !l.begun {
		*l = floor{true, now, delivered}
	}
}

// below reports whether fewer than least chunks were delivered in a period.
func (l *floor) below(now time.Time, period time.Duration, delivered, least int) bool {
	if !l.begun || now.Before(l.since.Add(period)) {
		return false
	}
	if delivered-l.had < least {
		return true
	}
	*l = floor{true, now, delivered}
	return false
}

// plausible reports whether a status can be an answer to a poll. A receiver may hold chunks
// that were not sent yet, because an attacker forged them. The status is then cut down to
// the chunks that were sent.
func (f *flight) plausible(s *status) bool {
	high := max(f.next-1, f.overheard) // the highest chunk sent
	if s.number > f.lastPoll || uint64(s.cum) > uint64(high)+maxWindow {
		return false
	}
	s.cum = min(s.cum, high)
	return true
}

// answer takes the receiver's answer to a poll and returns the sample for the congestion
// control. ok is false if the answer does not measure the path.
func (f *flight) answer(now time.Time, s *status) (_ sample, ok bool) {
	f.timer.Heard()
	outage := f.silent >= asideAfter
	f.silent = 0
	f.askedAt = time.Time{}
	f.heard = now
	f.finished = f.finished || s.progress == kept
	f.sizes.answered(s.number)
	if f.checkAt.IsZero() && s.progress == checking {
		f.checkAt = now
	}
	before := f.delivered
	lost := f.merge(s)
	f.settle(now, f.delivered > before || s.progress == checking)
	if f.overheard == 0 { // in a group, retransmissions for others arrive as copies
		f.learnOrder(s)
	}
	p := f.polls[s.number%pollMemory]
	if s.number == 0 || p.number != s.number || !p.answered.IsZero() {
		return sample{}, false // too old to measure, or measured already
	}
	p.answered, p.clock, p.received = now, s.clock, f.believed(s.received)
	f.polls[s.number%pollMemory] = p
	took := now.Sub(p.sent)
	f.timer.Sample(took)
	f.pollDue = now.Add(f.timer.RTO())
	if s.number == f.lastPoll {
		f.waiting = false
		f.resting = true
		if f.checking = s.progress == checking; f.checking { // it reports the end without a poll
			f.pollDue = now.Add(max(f.timer.RTO(), min(now.Sub(f.checkAt)/4, time.Second)))
		} else {
			f.pollDue = now.Add(keepAlive)
		}
	}
	if s.number < f.answered {
		return sample{}, false
	}
	f.answered = s.number
	if outage { // the time of the outage does not measure the path
		f.mark = polled{}
	}
	f.run = f.lostInARow(p)
	m := sample{
		poll: s.number, nextPoll: f.lastPoll + 1, rtt: took,
		delivered: f.delivered - before, lost: lost, lostByAll: lost, of: 1,
		rate: f.rate(p), limited: f.limited, probed: p.probed, underWay: f.underWay,
		run: f.run, silent: outage,
	}
	own := m
	if f.grouped { // one member does not stop the group's data
		own.run = 0
	}
	f.cc.update(now, own)
	f.limited = false
	return m, true
}

// believed bounds the number of packets that a receiver says it has received: at least the
// chunks that it holds, at most the packets that were sent.
func (f *flight) believed(received uint32) int {
	sent := f.packets + f.toGroup
	says := sent + int(int32(received-uint32(sent)))
	return min(max(says, f.delivered), sent)
}

// rate measures the delivery rate between the poll of the last measurement and p, which was
// just answered: the packets that arrived, divided by the time of sending or receiving them,
// whichever is longer. It is 0 if the time is too short. The time of receiving is by the
// receiver's clock, because answers may wait in a queue, but not longer than the sender's
// clock allows. Packets that were sent earlier may count as well, but no more than were sent
// between the polls: a receiver must not be able to raise the rate at will.
func (f *flight) rate(p polled) float64 {
	if f.mark.number == 0 {
		f.mark = p
		return 0
	}
	took := time.Duration(int32(p.clock-f.mark.clock)) * time.Microsecond
	if !p.answered.IsZero() { // it has answered the first poll after that was sent, and this one by now
		took = min(took, p.answered.Sub(f.mark.sent))
	}
	d := max(p.sent.Sub(f.mark.sent), took)
	if d < max(f.cc.minRTT/2, 100*time.Microsecond) {
		return 0
	}
	n := min(p.received-f.mark.received, 2*(p.packets-f.mark.packets))
	f.mark = p
	return float64(n) / d.Seconds() // below 0 if polls overtook each other
}

// merge records which chunks the receiver holds, and returns how many chunks are newly
// known to be lost.
func (f *flight) merge(s *status) (lost int) {
	for f.cum < s.cum {
		f.hold(f.slot(f.cum + 1))
		*f.slot(f.cum + 1) = slot{}
		f.cum++
	}
	f.scan = max(f.scan, f.cum+1)
	if f.next != 0 && f.next <= f.cum {
		f.next = f.cum + 1
	}
	f.overhear(s)
	for seq := f.cum + 1; seq != f.next; seq++ {
		sl := f.slot(seq)
		switch {
		case seq > s.cum && s.has(seq-s.cum-1):
			f.hold(sl)
		case sl.state == flying && sl.poll <= s.number && f.overdue(sl, s.number):
			sl.state = missing
			f.underWay--
			f.missing++
			lost++
			f.scan = min(f.scan, seq)
		}
	}
	return lost
}

// overhear records chunks that the receiver holds although they were never sent to it.
func (f *flight) overhear(s *status) {
	for seq := f.next; seq != 0 && seq <= f.overheard && seq-f.cum <= uint32(len(f.slots)); seq++ {
		if s.has(seq - s.cum - 1) {
			f.slot(seq).state = held
		}
	}
}

// settle notes whether there was progress, and since when the receiver owes some.
func (f *flight) settle(now time.Time, progress bool) {
	switch {
	case f.underWay == 0 && f.missing == 0 && f.firstFin == 0:
		f.owed, f.floor = time.Time{}, floor{}
	case progress:
		f.owed = now
	}
}

// overdue reports whether a chunk that is missing in the answer to a poll is lost. The poll
// must have been sent later than the chunk by more than the path is known to reorder.
func (f *flight) overdue(sl *slot, number uint32) bool {
	if f.disorder == 0 {
		return true
	}
	p := &f.polls[number%pollMemory]
	return p.number != number || p.sent.Sub(f.start)-sl.sent >= f.disorder
}

// learnOrder raises the time to wait for reordered chunks, up to a round trip, when copies
// arrive at the receiver: the chunks that were taken for lost were only late.
func (f *flight) learnOrder(s *status) {
	copies := int(s.received) - f.delivered
	if fresh := copies - f.copies; fresh > 0 && 50*fresh > f.delivered-f.lastHeld {
		f.disorder = min(max(2*f.disorder, f.timer.SRTT()/8), f.timer.SRTT())
	}
	f.copies, f.lastHeld = max(copies, f.copies), f.delivered
}

// lostInARow is how many chunks in a row were lost before p, which was just answered, up to
// the last one. Chunks that may only be late do not count.
func (f *flight) lostInARow(p polled) int {
	order := p.order
	for n := p.number; f.disorder > 0; n-- {
		e := &f.polls[n%pollMemory]
		if n == 0 || e.number != n {
			return 0
		}
		if order = e.order; p.sent.Sub(e.sent) >= f.disorder {
			break
		}
	}
	return int(order) - int(min(order, f.arrived))
}

// hold notes that the receiver has a chunk.
func (f *flight) hold(s *slot) {
	if s.state != held {
		f.arrived = max(f.arrived, s.order)
	}
	switch s.state {
	case flying:
		f.underWay--
		f.delivered++
	case missing:
		f.missing--
		f.delivered++
	}
	s.state = held
}
