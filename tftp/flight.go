package tftp

import (
	"time"

	"github.com/ferrygo/ferry/internal/rtt"
)

// A Flight is what the sender of a file knows about its blocks: which were
// sent, how often, when, and which of them the other side has. It is what a [Plan]
// looks at. It reads no socket and no clock.
//
// Blocks are counted from 1. All below First have been acknowledged; those
// from there up to Fresh, without it, have been sent.
type Flight struct {
	num       numbering
	selective bool  // an ACK is for its block alone
	room      int64 // blocks that may be under way: [first, first+room)

	first   int64     // the lowest block not acknowledged
	fresh   int64     // the lowest block never sent
	last    int64     // the last block, 0 while unknown
	unacked int       // sent and not acknowledged
	latest  time.Time // something was sent
	heard   time.Time // an ACK arrived
	slowed  time.Time // the timer was doubled
	away    absence   // the latest time during which the socket was not read

	blocks []flightBlock // by number modulo their count, a power of two
	timer  rtt.Estimator
}

// A flightBlock is one block under way.
type flightBlock struct {
	sent  time.Time // the last time
	tries int
	acked bool
}

func newFlight(num numbering, selective bool, room int, timer rtt.Config) *Flight {
	n := 1
	for n < room {
		n *= 2
	}
	return &Flight{
		num: num, selective: selective, room: int64(room), first: 1, fresh: 1,
		blocks: make([]flightBlock, n), timer: rtt.Estimator{Config: timer},
	}
}

func (f *Flight) block(n int64) *flightBlock { return &f.blocks[n&int64(len(f.blocks)-1)] }

// First is the lowest block that has not been acknowledged.
func (f *Flight) First() int64 { return f.first }

// Fresh is the lowest block that was never sent, or 0 if none may be sent now: all
// were, or as many are under way as the other side can keep.
func (f *Flight) Fresh() int64 {
	if f.last != 0 && f.fresh > f.last || f.fresh >= f.first+f.room {
		return 0
	}
	return f.fresh
}

// Sent is how many blocks were sent at least once: the highest one's number.
func (f *Flight) Sent() int64 { return f.fresh - 1 }

// Last is the number of the last block, or 0 while it is not known. It is known at
// the latest when it has been sent.
func (f *Flight) Last() int64 { return f.last }

// Unacked is how many blocks were sent and have not been acknowledged.
func (f *Flight) Unacked() int { return f.unacked }

// Acked reports whether a block has been acknowledged.
func (f *Flight) Acked(block int64) bool {
	return block < f.first || block < f.fresh && f.block(block).acked
}

// Tries is how often a block that is not acknowledged has been sent.
func (f *Flight) Tries(block int64) int {
	if block < f.first || block >= f.fresh {
		return 0
	}
	return f.block(block).tries
}

// SentAt is when a block that is not acknowledged was last sent.
func (f *Flight) SentAt(block int64) time.Time {
	if block < f.first || block >= f.fresh {
		return time.Time{}
	}
	return f.block(block).sent
}

// Latest is when any block was last sent; zero if none was.
func (f *Flight) Latest() time.Time { return f.latest }

// RTT is the smoothed round trip, 0 before it has been measured.
func (f *Flight) RTT() time.Duration { return f.timer.SRTT() }

// RTO is how long to wait for an ACK before sending again (RFC 6298). It doubles each
// time that something is sent again and nothing was heard in between.
func (f *Flight) RTO() time.Duration { return f.timer.RTO() }

// over reports whether the other side has everything.
func (f *Flight) over() bool { return f.last != 0 && f.first > f.last }

// sent notes that a block has left. It may be a fresh one or one that is under way;
// last says that it is the file's last.
func (f *Flight) sent(now time.Time, block int64, last bool) {
	b := f.block(block)
	if block == f.fresh {
		*b = flightBlock{}
		f.fresh++
		f.unacked++
	} else {
		f.backOff(now, b)
	}
	b.sent = now
	b.tries++
	f.latest = now
	if last {
		f.last = block
	}
}

// backOff doubles the timer (RFC 6298, rule 5.5) where a block is sent again and
// nothing was heard since it was sent; once for all that was sent together. What was
// heard may have been about an earlier copy of a block, while the answer to this one is
// still to come: if the timer has run out, that is no reason to double it, but if it
// happens again and again the timer is too short.
func (f *Flight) backOff(now time.Time, b *flightBlock) {
	heard := !b.sent.After(f.heard)
	if b.sent.Before(f.slowed) || heard && now.Sub(b.sent) < f.timer.RTO() {
		return
	}
	f.slowed = now
	f.timer.TimedOut()
	if heard {
		f.timer.Heard()
	}
}

// An answer is what a Flight makes of an ACK.
type answer int

const (
	fresh    answer = iota // it acknowledges something new
	repeated               // it says again what the one before said
	stale                  // it is older
	future                 // of a block that was not sent yet
)

// acked takes an ACK. block is the one it names; sample is the measured round trip,
// negative where there is none: what was sent twice cannot be measured, for it is not
// known which was acknowledged (Karn; RFC 6298, section 3).
func (f *Flight) acked(now time.Time, number uint32) (a answer, block int64, sample time.Duration) {
	block = f.num.near(number, f.first-1)
	if block >= f.fresh {
		return future, block, -1
	}
	f.heard = now
	switch {
	case block < f.first-1:
		f.timer.Heard()
		return stale, block, -1
	case block == f.first-1:
		f.timer.Heard()
		return repeated, block, -1
	case f.selective && f.block(block).acked:
		f.timer.Heard()
		return stale, block, -1
	}
	sample = f.measure(now, block)
	if f.selective {
		f.confirm(block)
		for f.first < f.fresh && f.block(f.first).acked {
			f.first++
		}
		return fresh, block, sample
	}
	for ; f.first <= block; f.first++ {
		f.confirm(f.first)
	}
	return fresh, block, sample
}

func (f *Flight) confirm(block int64) {
	f.block(block).acked = true
	f.unacked--
}

// measure takes the round trip, if the ACK allows it. One that names a
// block in the middle of a window was held back while its sender waited for the rest.
func (f *Flight) measure(now time.Time, block int64) time.Duration {
	b := f.block(block)
	if b.tries != 1 || !f.selective && block != f.fresh-1 {
		f.timer.Heard()
		return -1
	}
	sample := f.away.roundTrip(b.sent, now, f.timer.SRTT())
	if sample > 2*f.timer.RTO() {
		// The block should have been sent again by now and was not: nothing may go to
		// an address that has not answered. This is an ACK that the other side has
		// repeated.
		f.timer.Heard()
		return -1
	}
	f.timer.Sample(sample)
	return sample
}

// deviation is how much the round trip varies.
func (f *Flight) deviation() time.Duration { return f.timer.RTTVar() }

// answerable reports whether an ACK that arrives now can be the answer to a block's
// latest transmission. It cannot where no round trip was ever so short; and while none
// has been measured, one that comes about a timeout later may well be late, and tell of
// the copy before.
func (f *Flight) answerable(now time.Time, block int64) bool {
	age := now.Sub(f.SentAt(block))
	if !f.timer.Measured() && age > f.timer.Initial*3/4 {
		return false
	}
	return age >= max(f.timer.MinRTT(), minAnswerTime)
}

// minAnswerTime is the least time after which an ACK is taken for an answer.
const minAnswerTime = time.Millisecond
