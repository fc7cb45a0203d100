package tftp

import (
	"time"

	"github.com/ferrygo/ferry/internal/amplify"
)

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

	budget    *amplify.Budget // of what may go to an address that has not answered
	packetLen int             // of a full block
}

// What a request allows to be sent to an address that has not answered (RFC 8085, section
// 3.1.1; RFC 9000, section 8.1). The first block is longer than any request.
const (
	unprovenPackets = 3
	unprovenBytes   = 4096
)

// renew gives an address that has asked again as much as its first request did, if there
// is not enough left for a packet of n bytes.
func renew(b *amplify.Budget, n int) {
	if !b.Allows(n) {
		b.Grant(unprovenPackets, unprovenBytes)
	}
}

// next names the block to send at now, or 0 and when to ask again.
func (o *outbound) next(now time.Time) (block int64, again bool, wake time.Time) {
	if !o.budget.Allows(o.packetLen) {
		return 0, false, time.Time{} // until the other side asks again, which wakes the read
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

// sent notes that a packet has left.
func (o *outbound) sent(now time.Time, block int64, last bool) {
	o.Flight.sent(now, block, last)
	o.budget.Sent(o.packetLen)
}

// acked takes an ACK and tells the plan.
func (o *outbound) acked(now time.Time, number uint32) (answer, int64, time.Duration) {
	a, block, sample := o.Flight.acked(now, number)
	if a == fresh {
		o.budget.Prove()
	}
	if a == fresh || a == repeated {
		o.plan.Acked(now, o.Flight, block, a == fresh)
	}
	return a, block, sample
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
