package tftp

import "time"

// GoBackN keeps N blocks in flight. When the oldest of them is not acknowledged in time, it
// retransmits all of them in order, for a receiver that keeps nothing out of order.
type GoBackN struct {
	// N is how many blocks are in flight, 8 by default.
	N int
}

// Begin makes the plan of one transfer.
func (g GoBackN) Begin() Plan {
	n := int64(g.N)
	if n <= 0 {
		n = 8
	}
	return &goBackNPlan{n: n}
}

type goBackNPlan struct {
	n      int64
	cursor int64     // the next block to send
	moved  time.Time // when the oldest block was sent, or the one before it acknowledged
	first  int64
}

func (p *goBackNPlan) Next(now time.Time, f *Flight) (int64, time.Time) {
	if p.first != f.First() {
		p.first, p.moved = f.First(), now
		p.cursor = max(p.cursor, p.first)
	}
	if due := p.moved.Add(f.RTO()); f.Unacked() > 0 && !now.Before(due) {
		p.cursor, p.moved = p.first, now
	}
	for p.cursor < p.first+p.n {
		b := p.cursor
		if b > f.Sent() && f.Fresh() == 0 {
			break
		}
		p.cursor++
		// A block that was acknowledged out of order is not retransmitted.
		if !f.Acked(b) {
			return b, time.Time{}
		}
	}
	return 0, p.moved.Add(f.RTO())
}

func (p *goBackNPlan) Acked(time.Time, *Flight, int64, bool) {}
