package tftp

import (
	"math"
	"slices"
	"time"
)

// Informed uses the law of the network of the UDP file delivery assignment: a packet is dropped
// with probability n/40 + 0.1, where n is how many were sent in the 200 ms before, and takes a
// normally distributed time of mean 50 ms and deviation 10 ms.
//
// It sends bursts that are a little more than 200 ms apart, so that each finds the count at
// zero. For each place in a burst it computes which block is most probably missing. A block
// that was never sent is certainly missing. For any other block Bayes' rule gives the
// probability, from the chance of each try to arrive, and the chance that its ACK would have
// arrived. The first places of a burst pass best, and get the most probable blocks. Near the
// end a burst holds blocks twice.
//
// On any other network the law is wrong, and Informed is a Burst at a fixed interval.
type Informed struct{}

// The law: UDP file delivery assignment, "Network model".
const (
	lawWindow    = 200 * time.Millisecond
	lawBase      = 0.1
	lawPerPacket = 1.0 / 40
	lawRoundTrip = 100 * time.Millisecond // two ways of 50 ms
	lawDeviation = 14.142                 // of both together, in ms: 10 ms * sqrt 2
)

// What follows from it, by simulation (docs/tftp-delivery.md).
const (
	// informedBurst is how many blocks make a burst: each would be
	// delivered with probability 0.9 - k/40, and its ACK comes back.
	informedBurst = 27
	// informedInterval is a little longer than the network's window, because the delays
	// spread the ACKs, which are counted as well.
	informedInterval = 205 * time.Millisecond
	// informedAck is the chance of an ACK to come back.
	informedAck = 0.72
	// informedMinChance is the chance that a block is missing below which it is not sent
	// again yet.
	informedMinChance = 0.04
	// informedCopies is how often a burst may hold a block.
	informedCopies = 3
	// informedMemory is how many tries of a block are remembered. Earlier ones have no effect.
	informedMemory = 16
	// informedAckTimeout is when an ACK that is not back does not come any more.
	informedAckTimeout = 160 * time.Millisecond
)

// Begin makes the plan of one transfer.
func (Informed) Begin() Plan { return &informedPlan{tries: make([][]try, wideWindow)} }

type informedPlan struct {
	left   int         // blocks still to send in this burst
	recent []time.Time // what was sent in the last window
	tries  [][]try     // by block, modulo the most that are under way
}

// A try is one transmission of a block.
type try struct {
	sent   time.Time
	chance float64 // to arrive
}

func (p *informedPlan) Next(now time.Time, f *Flight) (int64, time.Time) {
	// A burst may be cut in two: little may go to an address that has not answered.
	next := f.Latest().Add(informedInterval)
	switch {
	case f.Latest().IsZero(), !now.Before(next):
		p.left = informedBurst
	case p.left == 0:
		return 0, next
	}
	b := p.choose(now, f)
	if b == 0 {
		p.left = 0
		return 0, now.Add(informedInterval)
	}
	p.left--
	if b == f.Fresh() {
		*p.of(b) = (*p.of(b))[:0]
	}
	p.note(now, b)
	return b, next
}

// of is where the tries of a block are kept.
func (p *informedPlan) of(b int64) *[]try { return &p.tries[b%wideWindow] }

// note remembers a transmission and its chance.
func (p *informedPlan) note(now time.Time, b int64) {
	for len(p.recent) > 0 && now.Sub(p.recent[0]) > lawWindow {
		p.recent = p.recent[1:]
	}
	chance := max(0, 1-lawBase-lawPerPacket*float64(len(p.recent)))
	tries := p.of(b)
	if len(*tries) == informedMemory {
		*tries = slices.Delete(*tries, 0, 1)
	}
	*tries = append(*tries, try{now, chance})
	p.recent = append(p.recent, now)
}

// choose names the block that is the likeliest to be missing.
func (p *informedPlan) choose(now time.Time, f *Flight) int64 {
	if b := f.Fresh(); b != 0 {
		return b
	}
	best, most := int64(0), informedMinChance
	for b := f.First(); b <= f.Sent(); b++ {
		if f.Acked(b) || p.copies(now, b) >= informedCopies {
			continue
		}
		if m := p.missing(now, b); m > most {
			best, most = b, m
		}
	}
	if b := oldest(f); best == 0 && b != 0 && now.Sub(f.SentAt(b)) >= informedAckTimeout {
		return b // whatever the law says
	}
	return best
}

// copies is how often a block is in the burst that is being sent.
func (p *informedPlan) copies(now time.Time, b int64) (n int) {
	for _, t := range *p.of(b) {
		if now.Sub(t.sent) < informedInterval/4 {
			n++
		}
	}
	return n
}

// missing is the probability that all tries of a block are lost, given that no ACK of it has
// arrived.
func (p *informedPlan) missing(now time.Time, b int64) float64 {
	lost, silent := 1.0, 1.0 // all tries lost; no ACK so far
	for _, t := range *p.of(b) {
		back := informedAck * normal(float64(now.Sub(t.sent)-lawRoundTrip)/float64(time.Millisecond)/lawDeviation)
		lost *= 1 - t.chance
		silent *= 1 - t.chance*back
	}
	return lost / silent
}

// normal is the standard normal distribution function.
func normal(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

func (p *informedPlan) Acked(time.Time, *Flight, int64, bool) {}
