package tftp

import (
	"time"

	"github.com/ferrygo/ferry/internal/amplify"
)

// A Strategy decides which block to send next, and when. Two of them are used by default:
// [Adaptive] by Wide senders and [Window] by all others. [StopAndWait], [GoBackN],
// [SelectiveRepeat], [Paced], [AIMD], [Burst] and [Informed] are for comparison;
// docs/tftp-delivery.md has the results.
//
// Many transfers may share a Strategy. The state of one transfer is in its Plan.
type Strategy interface {
	// Begin returns the plan of one transfer.
	Begin() Plan
}

// A Plan makes the decisions for one transfer. One goroutine calls it. The Flight belongs to
// the caller.
type Plan interface {
	// Next returns the block to send at now: Flight.Fresh, or a block that was sent and is
	// not acknowledged. The caller sends it and calls Next again. If Next returns 0 it is
	// called again at wake, or after the next ACK; a zero wake means only after an ACK.
	Next(now time.Time, f *Flight) (block int64, wake time.Time)
	// Acked is called after an ACK of a block has arrived. fresh is false if the ACK repeats
	// the one before. Older ACKs, and ACKs of blocks that were not sent, are not reported.
	Acked(now time.Time, f *Flight, block int64, fresh bool)
}

// An outbound decides what the sender of a file does. It asks the plan, checks its answers,
// and limits what is sent to an address that has not answered. It reads no socket and no
// clock.
type outbound struct {
	*Flight
	plan      Plan
	budget    *amplify.Budget // what may be sent until the other side has answered
	packetLen int             // of a full block
}

// The limits on packets to an address that has not answered. They bound the traffic that a
// request with a forged address directs to a victim (RFC 9000, section 8.1 has the idea). The first block of
// a file is longer than any request, so the limit does not depend on the request.
const (
	unverifiedPackets = 3
	unverifiedBytes   = 4096
)

// grantAgain allows an address that has asked again as much as its first request did, if less
// than a packet of n bytes is left.
func grantAgain(b *amplify.Budget, n int) {
	if !b.Allows(n) {
		b.Grant(unverifiedPackets, unverifiedBytes)
	}
}

// next returns the block to send at now, or 0 and when to ask again.
func (o *outbound) next(now time.Time) (block int64, again bool, wake time.Time) {
	if !o.budget.Allows(o.packetLen) {
		return 0, false, time.Time{} // a repeated request wakes the read
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
	return 0, false, now.Add(o.RTO()) // the plan is wrong; do not call it without end
}

// sent notes that a packet was sent.
func (o *outbound) sent(now time.Time, block int64, last bool) {
	o.Flight.sent(now, block, last)
	o.budget.Sent(o.packetLen)
}

// acked processes an ACK and tells the plan.
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
