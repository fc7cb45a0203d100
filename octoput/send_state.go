package octoput

import (
	"time"

	"github.com/ferrygo/ferry/internal/rtt"
)

// confirming is how long the acknowledgement of a FIN may take at least: meanwhile the
// receiver writes the file to its disk.
const confirming = 30 * time.Second

// A phase is how far a sender is with a file.
type phase int

const (
	opening   phase = iota // the OPEN is not acknowledged
	sending                // an octoblock is in flight
	finishing              // the FIN is not acknowledged
	over                   // it is
)

// A sendState decides what a sender sends of one file, and when: the OPEN until it is
// acknowledged, one octoblock at a time ("At most one octoblock can be in transit",
// CPSC 441 assignment 2, "Technical Requirements", paragraph 3), of it what is missing,
// and the FIN. It reads no socket and no clock.
//
// Its use is begin, then next and acked until an answer is complete, then forward, and so
// on until the phase is over.
type sendState struct {
	plan   plan
	join   time.Duration // how long to wait for a first answer
	giveUp time.Duration // how long to wait for an answer that tells something new
	asked  bool          // the receiver asked for the file: its questions repeat the OPEN, not a timer
	rtt    rtt.Estimator

	phase phase
	block Block // in flight, in the phase sending
	held  Legs  // of it, as far as the receiver said
	legs  [LegsPerBlock]sentLeg

	tries    int       // transmissions of what is in flight, of one octoleg or several
	again    bool      // something of it was sent twice: no samples
	due      time.Time // when to send all that is missing again
	deadline time.Time // when to give up
	silence  time.Duration

	order uint64 // of octolegs sent so far
	top   uint64 // the highest order of an octoleg in this block that arrived
	slack time.Duration
}

// A sentLeg is the latest transmission of an octoleg.
type sentLeg struct {
	sent  time.Time
	order uint64
	tries int
}

// An order is what a sendState asks to be sent.
type order struct {
	kind    Type // Open, Leg or Fin; 0 for nothing
	legs    Legs // which octolegs of the block
	twice   Legs // those of them to send two of
	again   bool // they were sent before
	timeout bool // the timer ran out
}

// begin starts with the OPEN.
func (o *sendState) begin(now time.Time) { o.enter(now, opening, o.join) }

// enter puts the next thing in flight.
func (o *sendState) enter(now time.Time, p phase, patience time.Duration) {
	o.phase = p
	o.held, o.tries, o.again, o.top = 0, 0, false, 0
	o.legs = [LegsPerBlock]sentLeg{}
	o.silence, o.deadline = patience, now.Add(patience)
}

// forward continues when the packets in flight are acknowledged: with the next octoblock,
// with the FIN after the last octoblock, or with the end. It sets o.block to the next
// block.
func (o *sendState) forward(now time.Time) {
	switch next := o.block.Number + 1; {
	case o.phase == finishing:
		o.phase = over
	case next <= o.plan.count():
		o.block = o.plan.block(next)
		o.enter(now, sending, o.giveUp)
	default:
		o.enter(now, finishing, max(o.giveUp, confirming))
	}
}

// number is the octoblock field of the packets in flight.
func (o *sendState) number() uint64 {
	switch o.phase {
	case opening:
		return 0
	case sending:
		return o.block.Number
	}
	return o.plan.count() + 1
}

// next returns what to send at now, and when to ask again if nothing arrives before;
// given reports that the deadline has passed: the receiver is given up.
func (o *sendState) next(now time.Time) (s order, wake time.Time, given bool) {
	wake = o.deadline
	switch {
	case o.phase == over:
		return order{}, wake, false
	case !now.Before(o.deadline):
		return order{}, wake, true
	case o.tries == 0:
		s = order{kind: o.kind(), legs: AllLegs}
	case o.asked && o.phase == opening:
		return order{}, wake, false // no timer: see repeat
	case !now.Before(o.due):
		o.rtt.TimedOut()
		s = order{kind: o.kind(), legs: AllLegs &^ o.held, again: true, timeout: true}
	default:
		lost, first := o.lost(now)
		if lost == 0 {
			return order{}, earlier(wake, earlier(o.due, first)), false
		}
		s = order{kind: Leg, legs: lost, again: true}
	}
	return o.send(now, s), earlier(wake, o.due), false
}

// kind is the type of the packets in flight.
func (o *sendState) kind() Type {
	switch o.phase {
	case opening:
		return Open
	case sending:
		return Leg
	}
	return Fin
}

// repeat returns the OPEN once more, because the receiver asked once more. Nothing but
// that makes a server repeat it: an address that never answered, and may never have
// asked, gets one packet for each, no longer than it (RFC 8085, section 3.1).
func (o *sendState) repeat(now time.Time) order {
	if o.phase != opening {
		return order{}
	}
	return o.send(now, order{kind: Open, again: true})
}

// send notes a transmission and sets the timer. An octoleg that was lost twice is sent twice: by
// then the other octolegs are there, and there is room for it within the eight packets
// of an octoblock, which are all that a sender ever has in flight.
func (o *sendState) send(now time.Time, s order) order {
	for i := range o.legs {
		if !s.legs.has(i) {
			continue
		}
		o.order++
		leg := &o.legs[i]
		leg.sent, leg.order = now, o.order
		leg.tries++
		if leg.tries > 2 && 2*s.legs.Len() <= LegsPerBlock {
			s.twice |= Nth(i + 1)
		}
	}
	o.tries++
	o.again = o.again || s.again
	o.due = now.Add(o.rtt.RTO())
	return s
}

// lost returns the octolegs to send again before the timer runs out, because one sent
// later arrived and they did not; and, where the network is known to change the order
// of packets, the time at which there may be more.
func (o *sendState) lost(now time.Time) (lost Legs, first time.Time) {
	first = o.due
	for i := range o.legs {
		leg := &o.legs[i]
		if o.held.has(i) || leg.order >= o.top {
			continue
		}
		if o.slack == 0 {
			lost |= Nth(i + 1)
			continue
		}
		if at := leg.sent.Add(o.rtt.SRTT() + o.slack); now.Before(at) {
			first = earlier(first, at)
		} else {
			lost |= Nth(i + 1)
		}
	}
	return lost, first
}

// An answer is what sendState makes of an acknowledgement.
type answer int

const (
	fresh    answer = iota // it tells something new of the octoblock in flight
	complete               // what is in flight has arrived: see forward
	stale                  // it tells nothing new
	future                 // it is about what was not sent yet
	odd                    // it acknowledges a part of an OPEN or a FIN
)

// acked notes that the receiver holds legs of an octoblock. sample is the measured round
// trip, or 0: the acknowledgement of a retransmitted octoleg gives no sample, because it
// may answer either transmission (Karn; RFC 6298, section 3).
func (o *sendState) acked(now time.Time, block uint64, legs Legs) (a answer, sample time.Duration) {
	switch n := o.number(); {
	case block > n:
		return future, 0
	case block < n || o.phase == over:
		o.rtt.Heard()
		return stale, 0
	case o.tries == 0:
		return future, 0
	case o.phase != sending && legs != AllLegs:
		return odd, 0
	}
	news := legs &^ o.held
	if news == 0 {
		o.rtt.Heard()
		return stale, 0
	}
	sample = o.measure(now, news)
	if o.phase != sending {
		return complete, sample
	}
	if o.held |= news; o.held == AllLegs {
		return complete, sample
	}
	o.deadline = now.Add(o.silence)
	o.learn(now, news)
	return fresh, sample
}

// measure takes a sample of the round trip if that is possible. The answer to a FIN comes
// after the file is written to a disk, and the answer to a question is an OPEN: neither is
// a sample.
func (o *sendState) measure(now time.Time, news Legs) time.Duration {
	if o.again || o.phase == finishing || o.phase == opening && o.asked {
		if o.phase == opening && !o.asked {
			// Whichever OPEN this answers, the round trip is not longer. Until there is
			// a sample, a shorter timer could send everything twice for nothing.
			o.rtt.Initial = now.Sub(o.deadline.Add(-o.silence))
		}
		o.rtt.Heard()
		return 0
	}
	sent := o.legs[news.index()].sent
	o.rtt.Sample(now.Sub(sent))
	return now.Sub(sent)
}

// learn finds out what the arrival of news tells of the octolegs that were sent before
// them. An octoleg that was retransmitted less than a round trip ago arrived because of its
// earlier transmission: it was late, not lost. So this path reorders packets, and their
// order says less about losses (RFC 8985, section 6.2, has the same idea for TCP).
func (o *sendState) learn(now time.Time, news Legs) {
	late := false
	for i := range o.legs {
		leg := &o.legs[i]
		if !news.has(i) {
			continue
		}
		if leg.tries > 1 && now.Sub(leg.sent) < o.rtt.MinRTT() {
			late = true
			continue
		}
		o.top = max(o.top, leg.order)
	}
	if late {
		o.slack = min(o.slack+o.rtt.MinRTT()/4, o.rtt.SRTT())
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
