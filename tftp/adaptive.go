package tftp

import "time"

// Adaptive sends in rounds, and learns how much a round takes without knowing any law. It
// is the default of Wide transfers.
//
// A round is a burst of n blocks: first those that the round before left without an ACK, in order, then
// fresh ones. It ends when all are acknowledged, or after two round trips and what they vary: time for
// the ACKs to come, and for the network to calm down. What came back decides about n.
// While at least half does, the loss may as well be the network's floor, and n
// doubles (quadruples if nothing was lost). When less does, n stays if it still brings more blocks per second than
// any n before, and otherwise goes back to the one that brought most, for some rounds.
//
// When rounds come back whole, it does not wait for their ends any more: with half
// of n acknowledged it sends on, as a window does.
type Adaptive struct{}

// Begin makes the plan of one transfer.
func (Adaptive) Begin() Plan { return &adaptivePlan{n: adaptiveFirst} }

const (
	adaptiveFirst = 3  // what may go to an address that has not answered
	adaptiveLeast = 4  // in a round after that
	adaptiveFlow  = 64 // from this n on, whole rounds become a window
	adaptiveHold  = 8  // rounds without an attempt at more
)

type adaptivePlan struct {
	n      int
	began  time.Time // the round
	cursor int64     // blocks below it have been looked at in this round
	left   int       // blocks that it may still send
	sent   int
	acked  int
	whole  bool // the round before it came back whole

	best  float64 // blocks per second, of the best n
	bestN int
	hold  int
}

func (p *adaptivePlan) Next(now time.Time, f *Flight) (int64, time.Time) {
	for {
		if b := p.pick(f); b != 0 {
			return b, time.Time{}
		}
		end := p.began.Add(max(2*f.RTT()+4*f.deviation(), f.RTO()))
		switch {
		case p.began.IsZero():
			p.begin(now, f)
		case f.Unacked() == 0 || !now.Before(end):
			if f.Unacked() == 0 && f.Fresh() == 0 {
				return 0, end
			}
			p.assess(now, f.Unacked() == 0)
			p.begin(now, f)
		case p.whole && p.n >= adaptiveFlow && f.Unacked() <= p.n/2 && f.Fresh() != 0:
			p.left += p.n - f.Unacked()
		default:
			return 0, end
		}
		if p.left == 0 {
			return 0, end
		}
	}
}

// begin opens a round.
func (p *adaptivePlan) begin(now time.Time, f *Flight) {
	p.began, p.cursor = now, f.First()
	p.left, p.sent, p.acked = p.n, 0, 0
}

// pick names the next block of the round, 0 if it has been sent.
func (p *adaptivePlan) pick(f *Flight) int64 {
	if p.left == 0 {
		return 0
	}
	for ; p.cursor <= f.Sent(); p.cursor++ {
		if b := p.cursor; !f.Acked(b) && f.SentAt(b).Before(p.began) {
			p.cursor++
			return p.count(b)
		}
	}
	if b := f.Fresh(); b != 0 {
		return p.count(b)
	}
	p.left = 0
	return 0
}

func (p *adaptivePlan) count(b int64) int64 {
	p.left--
	p.sent++
	return b
}

// assess draws the lesson of a round that is over.
func (p *adaptivePlan) assess(now time.Time, whole bool) {
	rate := float64(p.acked) / max(now.Sub(p.began), time.Microsecond).Seconds()
	p.whole = whole
	full := p.sent >= p.n // else it says little
	if rate > p.best && full {
		p.best, p.bestN = rate, p.n
	}
	switch {
	case p.hold > 0:
		p.hold--
	case whole && full:
		p.n = min(4*p.n, wideWindow)
	case 2*p.acked >= p.sent && full:
		p.n = min(2*p.n, wideWindow)
	case 2*p.acked >= p.sent:
	case rate < 0.8*p.best && p.bestN > 0:
		p.n, p.hold = max(p.bestN, adaptiveLeast), adaptiveHold
		p.best *= 0.9 // the network may have changed
	}
	p.n = max(p.n, adaptiveLeast)
}

func (p *adaptivePlan) Acked(_ time.Time, _ *Flight, _ int64, fresh bool) {
	if fresh {
		p.acked++
	}
}
