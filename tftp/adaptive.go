package tftp

import "time"

// Adaptive sends in rounds, and measures in each how large the next may be. It assumes nothing
// about the network, and is the default of Wide transfers.
//
// A round is a burst of n blocks. It ends when all blocks in flight are acknowledged, or after
// two round trips: the time for the ACKs to arrive and for the network to become idle. After a
// bad round it is longer. The share of the blocks that were acknowledged, the yield, decides
// about the next n:
//
//   - If the yield is 1, n is quadrupled.
//   - If it is at least a half, the loss may be independent of n, and n grows by a half.
//   - If it is less than a fifth, n shrinks by a quarter, but not below 12.
//   - If nothing was acknowledged, n is halved, but not below 2, and the timer doubles.
//   - If a round brings less than half as many blocks per second as the best n did, n becomes
//     the best n again, and stays the same for 8 rounds.
//
// If the yield is high, blocks that are not acknowledged are missing, and are sent first. If it
// is low, perhaps only their ACKs are lost. Then new blocks, which are certainly missing, are
// sent first, and after them the block that was sent the longest time ago.
//
// When large rounds arrive without a loss, Adaptive does not wait for their ends any more: it
// sends when half of n is acknowledged, as a window does.
type Adaptive struct{}

// Begin makes the plan of one transfer.
func (Adaptive) Begin() Plan { return &adaptivePlan{n: unverifiedPackets, yield: 1} }

const (
	adaptiveSecond = 14 // blocks of the second round, when the other side has answered
	adaptiveMin    = 12 // and of any after it,
	adaptiveSilent = 2  // unless nothing came back
	adaptiveFlow   = 64 // from this n on, whole rounds become a window
	adaptiveHold   = 8  // rounds without an attempt at more
)

type adaptivePlan struct {
	n      int
	began  time.Time // the round
	cursor int64     // blocks below it have been looked at in this round
	left   int       // blocks that it may still send
	sent   int
	acked  int
	rounds int
	yield  float64 // of the round before

	best  float64 // blocks per second
	bestN int     // the n that brought them
	hold  int
}

func (p *adaptivePlan) Next(now time.Time, f *Flight) (int64, time.Time) {
	for {
		if b := p.pick(f); b != 0 {
			return b, time.Time{}
		}
		end := p.began.Add(p.length(f))
		switch {
		case p.rounds == 0:
			p.begin(now, f)
		case p.over(now, end, f):
			if f.Unacked() == 0 && f.Fresh() == 0 {
				return 0, end
			}
			p.assess(now, f)
			p.begin(now, f)
		case p.yield == 1 && p.n >= adaptiveFlow && f.Unacked() <= p.n/2 && f.Fresh() != 0:
			p.left += p.n - f.Unacked()
		default:
			return 0, end
		}
	}
}

// length is how long a round takes at most.
func (p *adaptivePlan) length(f *Flight) time.Duration {
	d := 2*f.RTT() + f.deviation()
	if p.yield < 0.4 {
		d += f.RTT() / 2
	}
	return max(d, f.RTO())
}

// over reports whether the round is over. The first round, which has few blocks because the
// other side has not answered, ends with its first ACK.
func (p *adaptivePlan) over(now, end time.Time, f *Flight) bool {
	return f.Unacked() == 0 || !now.Before(end) || p.rounds == 1 && p.acked > 0
}

// begin opens a round.
func (p *adaptivePlan) begin(now time.Time, f *Flight) {
	p.rounds++
	p.began, p.cursor = now, f.First()
	p.left, p.sent, p.acked = p.n, 0, 0
}

// pick returns the next block of the round, 0 if the round has been sent.
func (p *adaptivePlan) pick(f *Flight) int64 {
	if p.left == 0 {
		return 0
	}
	var b int64
	if p.yield >= 0.8 {
		if b = p.missing(f); b == 0 {
			b = f.Fresh()
		}
	} else {
		b = freshOrStale(f, p.began)
	}
	if b == 0 {
		p.left = 0
		return 0
	}
	p.left--
	p.sent++
	return b
}

// missing returns the next block that an earlier round sent and that is not acknowledged, or 0.
func (p *adaptivePlan) missing(f *Flight) int64 {
	for ; p.cursor <= f.Sent(); p.cursor++ {
		if b := p.cursor; !f.Acked(b) && f.SentAt(b).Before(p.began) {
			p.cursor++
			return b
		}
	}
	return 0
}

// assess chooses n after a round.
func (p *adaptivePlan) assess(now time.Time, f *Flight) {
	if p.rounds == 1 {
		p.n = adaptiveSecond
		return
	}
	p.yield = min(1, float64(p.acked)/float64(max(1, p.sent)))
	if f.Unacked() == 0 {
		p.yield = 1
	}
	full := p.sent >= p.n // else the round says little about n
	rate := float64(p.acked) / max(now.Sub(p.began), time.Microsecond).Seconds()
	if full && rate > p.best {
		p.best, p.bestN = rate, p.n
	}
	switch {
	case p.acked == 0:
		p.n = max(p.n/2, adaptiveSilent)
	case p.bestN > 0 && full && p.yield < 1 && rate < p.best/2:
		p.n, p.hold = p.bestN, adaptiveHold
		p.best *= 0.9 // the network may have changed
	case p.hold > 0:
		p.hold--
	case full && p.yield == 1:
		p.n = min(4*p.n, wideWindow)
	case full && p.yield >= 0.5:
		p.n = min(p.n+p.n/2, wideWindow)
	case p.yield < 0.2:
		p.n = min(p.n, max(p.n*3/4, adaptiveMin))
	}
}

func (p *adaptivePlan) Acked(_ time.Time, _ *Flight, _ int64, fresh bool) {
	if fresh {
		p.acked++
	}
}
