package tftp

import (
	"time"

	"github.com/ferrygo/ferry/internal/rtt"
)

// A Flight is what the sender of a file knows about its blocks: which were sent, how often and
// when, and which are acknowledged. A [Plan] decides on this basis. A Flight reads no socket
// and no clock.
//
// Blocks are counted from 1. All blocks below First are acknowledged. The blocks from First to
// Sent have been sent.
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

// Fresh is the lowest block that was never sent. It is 0 if none may be sent now: all were
// sent, or as many are in flight as the other side can keep.
func (f *Flight) Fresh() int64 {
	if f.last != 0 && f.fresh > f.last || f.fresh >= f.first+f.room {
		return 0
	}
	return f.fresh
}

// Sent is the highest block that was sent.
func (f *Flight) Sent() int64 { return f.fresh - 1 }

// Last is the number of the last block, 0 while it is not known. It is known when the last
// block has been sent.
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

// RTO is how long to wait for an ACK before retransmitting (RFC 6298). It doubles with each
// retransmission, until something is heard.
func (f *Flight) RTO() time.Duration { return f.timer.RTO() }

// over reports whether the other side has everything.
func (f *Flight) over() bool { return f.last != 0 && f.first > f.last }

// sent notes that a block was sent, for the first time or again. last says that it is the
// last block of the file.
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

// backOff doubles the timer (RFC 6298, rule 5.5) if a block is retransmitted and nothing was
// heard since it was sent. Blocks that were sent together count once. If something was heard
// it may have been the answer to an earlier copy. One such timeout does not double the timer,
// but several in a row show that the timer is too short.
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

// An answer is what an ACK means.
type answer int

const (
	fresh    answer = iota // it acknowledges a block for the first time
	repeated               // it repeats the ACK before
	stale                  // it is older
	future                 // its block was not sent
)

// acked processes an ACK. block is the one that it names. sample is the measured round trip,
// negative if there is none: a block that was sent twice gives none, because the ACK may
// belong to either copy (Karn; RFC 6298, section 3).
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

// measure measures the round trip, if the ACK allows it. An ACK that names a block in the
// middle of a window was delayed, because the receiver waited for the rest.
func (f *Flight) measure(now time.Time, block int64) time.Duration {
	b := f.block(block)
	if b.tries != 1 || !f.selective && block != f.fresh-1 {
		f.timer.Heard()
		return -1
	}
	sample := f.away.roundTrip(b.sent, now, f.timer.SRTT())
	if sample > 2*f.timer.RTO() {
		// The block was not retransmitted in time, because the address had not answered
		// and no more could be sent. The other side has repeated this ACK.
		f.timer.Heard()
		return -1
	}
	f.timer.Sample(sample)
	return sample
}

// deviation is how much the round trip varies.
func (f *Flight) deviation() time.Duration { return f.timer.RTTVar() }

// answerable reports whether an ACK that arrives now can be the answer to the latest
// transmission of a block. It cannot if no round trip was ever so short. Before a round trip
// is measured, an ACK that arrives about one timeout later is probably the answer to the copy
// before.
func (f *Flight) answerable(now time.Time, block int64) bool {
	age := now.Sub(f.SentAt(block))
	if !f.timer.Measured() && age > f.timer.Initial*3/4 {
		return false
	}
	return age >= max(f.timer.MinRTT(), minAnswerTime)
}

// minAnswerTime is the shortest time after which an ACK can be an answer.
const minAnswerTime = time.Millisecond
