package tftp

import "time"

// A Strategy is a way to deliver a file: which block to send next, and when. Strategies
// of this package are [StopAndWait], [GoBackN], [Window], [SelectiveRepeat],
// [Paced], [AIMD], [Burst], [Informed] and [Adaptive]; docs/tftp-delivery.md
// compares them.
//
// A Strategy is a value that many transfers may share. What belongs to one of
// them is in the Plan.
type Strategy interface {
	// Begin makes the plan of one transfer.
	Begin() Plan
}

// A Plan decides for one transfer. It is told the time and what was
// acknowledged, looks at the Flight, and is asked what to send. It is called by one
// goroutine and keeps nothing of the Flight.
type Plan interface {
	// Next names the block to send at now: one that was sent and is not acknowledged,
	// or Flight.Fresh. It is asked again at once until it returns 0, and then not
	// before wake or the next ACK. A zero wake leaves it to the ACK.
	Next(now time.Time, f *Flight) (block int64, wake time.Time)
	// Acked says that an ACK of a block has arrived. fresh is false where it
	// repeats the one before. ACKs from the past and from the future are not shown.
	Acked(now time.Time, f *Flight, block int64, fresh bool)
}

// An outbound decides what the sender of a file does: it asks the plan, and sees to it
// that the plan's mistakes and an unproven address do no harm. It reads no socket and
// no clock.
type outbound struct {
	*Flight
	plan Plan

	// Until the other side has answered nobody knows whether it is there
	// and wants the file, and only so much goes to its address.
	proven    bool
	packets   int // that may still be sent
	bytes     int
	packetLen int // of a full block
}

// What may go to an address that has not answered: no request with a forged sender
// brings its victim more (RFC 8085, section 3.1.1 asks for caution; RFC 9000, section
// 8.1 for a bound).
const (
	unprovenPackets = 3
	unprovenBytes   = 4096
)

// next names the block to send at now, or 0 and when to ask again.
func (o *outbound) next(now time.Time) (block int64, again bool, wake time.Time) {
	if o.exhausted() {
		return 0, false, now.Add(unprovenTick)
	}
	block, wake = o.plan.Next(now, o.Flight)
	switch {
	case block == 0:
		return 0, false, wake
	case block == o.Fresh():
		return block, false, wake
	case block >= o.first && block < o.fresh && !o.Acked(block):
		return block, true, wake
	}
	return 0, false, now.Add(o.RTO()) // the plan is wrong: not a reason to spin
}

// exhausted reports whether no more may go to an address that has not answered.
func (o *outbound) exhausted() bool {
	return !o.proven && (o.packets <= 0 || o.bytes < o.packetLen)
}

// sent notes that a packet has left.
func (o *outbound) sent(now time.Time, block int64, last bool) {
	o.Flight.sent(now, block, last)
	if !o.proven {
		o.packets--
		o.bytes -= o.packetLen
	}
}

// renew lets the other side have another first flight: it has asked again.
func (o *outbound) renew() {
	if o.exhausted() {
		o.packets, o.bytes = unprovenPackets, unprovenBytes
	}
}

// acked takes an ACK and tells the plan.
func (o *outbound) acked(now time.Time, number uint32) (answer, int64, time.Duration) {
	a, block, sample := o.Flight.acked(now, number)
	if a == fresh {
		o.proven = true
	}
	if a == fresh || a == repeated {
		o.plan.Acked(now, o.Flight, block, a == fresh)
	}
	return a, block, sample
}

// unprovenTick is how often a sender that may send nothing looks whether the other side
// has asked again. All of a server's transfers may be in wait, with forged senders.
const unprovenTick = 250 * time.Millisecond

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
