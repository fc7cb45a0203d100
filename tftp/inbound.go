package tftp

import (
	"time"

	"github.com/ferrygo/ferry/internal/rtt"
)

// An inbound decides what the receiver of a file does with the blocks: their order, which are
// duplicates, what to acknowledge, and when. It reads no socket and no clock.
//
// An ACK acknowledges all blocks up to the one that it names (RFC 7440), or, if selective,
// that block only (the client of the UDP file delivery assignment).
type inbound struct {
	num       numbering
	selective bool
	window    int64 // blocks between two ACKs; how far ahead a block is kept
	blockSize int

	next  int64 // the lowest block that is missing
	acked int64 // the highest that was acknowledged
	last  int64 // the file's last block, 0 while unknown

	held   [][]byte // blocks that came before next, by number modulo window; nil: none so far
	has    []bool
	holds  int
	budget *heldBudget // that held may use, together with other transfers; nil: no limit
	used   int64       // of memory

	missed   time.Time // when the first block was held before the missing one
	told     bool      // the gap was acknowledged
	arrived  time.Time // the latest new block
	lateness time.Duration

	answered time.Time // when the latest ACK left that is to bring new blocks
	measured bool      // its round trip was taken, or cannot be
	away     absence   // the latest time during which the socket was not read
	timer    rtt.Estimator
}

func newInbound(num numbering, selective bool, s Settings, timer rtt.Config) *inbound {
	window := s.WindowSize
	if selective {
		window = wideWindow
	}
	return &inbound{
		num: num, selective: selective, window: int64(window), blockSize: s.BlockSize,
		timer: rtt.Estimator{Config: timer}, next: 1,
	}
}

// holding reports whether a block from the window is held.
func (in *inbound) holding(b int64) bool { return in.holds > 0 && in.has[b%in.window] }

// wideWindow is the largest number of blocks that a Wide sender has in flight and a Wide
// receiver keeps. The UDP file delivery assignment has no such limit; its file has 45 blocks.
const wideWindow = 1024

// A verdict is what to do with a block.
type verdict int

const (
	deliver verdict = iota // write it, call taken, and do the same with what takeHeld returns
	keep                   // it is held until those before it arrive
	known                  // it is a duplicate
	ignore                 // it does not fit
)

// classify returns what to do with a DATA packet, and which block it is.
func (in *inbound) classify(now time.Time, number uint32, payload []byte) (verdict, int64) {
	b := in.num.near(number, in.next)
	switch {
	case b < 1 || b >= in.next+in.window || in.last != 0 && b > in.last:
		return ignore, b
	case b < in.next || in.holding(b):
		return known, b
	case b > in.next && len(payload) < in.blockSize && in.beyond(b):
		return ignore, b // it claims to be the last, but later blocks have arrived
	}
	in.arrived = now
	in.measure(now, b)
	if len(payload) < in.blockSize {
		in.last = b
	}
	if b == in.next {
		return deliver, b
	}
	if !in.hold(now, b, payload) {
		return ignore, b // it will be retransmitted
	}
	return keep, b
}

// beyond reports whether a block after b is held.
func (in *inbound) beyond(b int64) bool {
	for n := b + 1; n < in.next+in.window; n++ {
		if in.holding(n) {
			return true
		}
	}
	return false
}

// hold keeps a block until those before it have arrived. It returns false if there is no
// memory for it.
func (in *inbound) hold(now time.Time, b int64, payload []byte) bool {
	if in.held == nil {
		in.held, in.has = make([][]byte, in.window), make([]bool, in.window)
	}
	i := b % in.window
	if cap(in.held[i]) == 0 {
		if !in.budget.take(int64(in.blockSize)) {
			return false
		}
		in.used += int64(in.blockSize)
		in.held[i] = make([]byte, 0, in.blockSize)
	}
	in.held[i] = append(in.held[i][:0], payload...)
	in.has[i] = true
	if in.holds == 0 {
		in.missed, in.told = now, false
	}
	in.holds++
	return true
}

// release gives back the memory that was used.
func (in *inbound) release() {
	in.budget.give(in.used)
	in.used = 0
}

// taken notes that the next block has been written.
func (in *inbound) taken(now time.Time) {
	if in.holds > 0 {
		in.late(now)
	}
	// Another block may be missing after this one.
	in.missed, in.told = now, false
	in.next++
}

// takeHeld returns the next block if it is held. It is valid until taken is called.
func (in *inbound) takeHeld() ([]byte, bool) {
	i := in.next % in.window
	if !in.holding(in.next) {
		return nil, false
	}
	in.has[i] = false
	in.holds--
	return in.held[i], true
}

// late measures by how much a block may arrive after its successors. A block that was
// retransmitted does not count.
func (in *inbound) late(now time.Time) {
	d := now.Sub(in.missed)
	if in.told && (!in.timer.Measured() || now.Sub(in.answered) >= in.timer.SRTT()*3/4) {
		return // probably the answer to our ACK
	}
	in.lateness = max(d, in.lateness-in.lateness/16)
}

// gapDelay is how long a gap may be due to reordering.
func (in *inbound) gapDelay() time.Duration {
	return min(max(in.lateness*5/4, minGapDelay), maxGapDelay)
}

const (
	minGapDelay = time.Millisecond
	maxGapDelay = 250 * time.Millisecond
)

// over reports whether the file is complete.
func (in *inbound) over() bool { return in.last != 0 && in.next > in.last }

// due returns the block to acknowledge at now, for all blocks up to it. If no ACK is due it
// returns when one will be; zero means only after the next block. If block 1 is missing the
// block is 0.
func (in *inbound) due(now time.Time) (block int64, ok bool, wake time.Time) {
	have := in.next - 1
	switch {
	case in.selective:
		return 0, false, time.Time{}
	case in.over() && in.acked < have, have-in.acked >= in.window:
		return have, true, time.Time{}
	case in.holds > 0 && !in.told:
		wake = in.missed.Add(in.gapDelay())
	case have > in.acked && in.holds == 0:
		// The rest of the window may be lost.
		wake = in.arrived.Add(max(2*in.gapDelay(), minTailDelay))
	default:
		return 0, false, time.Time{}
	}
	return have, !now.Before(wake), wake
}

// minTailDelay is how long the rest of a window may take to arrive after a block.
const minTailDelay = 5 * time.Millisecond

// acknowledged notes that an ACK of a block was sent. again says that it repeats an earlier one.
func (in *inbound) acknowledged(now time.Time, block int64, again bool) {
	if in.holds > 0 && block == in.next-1 {
		in.told = true
	}
	if in.measured = again; again {
		in.timer.TimedOut()
	}
	in.answered = now
	in.acked = max(in.acked, block)
}

// measure measures the time from an ACK to the first block that answers it.
func (in *inbound) measure(now time.Time, b int64) {
	if in.measured || in.answered.IsZero() || b <= in.acked {
		return
	}
	in.measured = true
	in.timer.Sample(in.away.roundTrip(in.answered, now, in.timer.SRTT()))
}
