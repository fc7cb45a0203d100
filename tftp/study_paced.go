package tftp

import "time"

// Paced sends one block in every Interval: the oldest that is overdue, or else a new one. Its
// rate never changes; ACKs only tell which blocks are missing.
type Paced struct {
	// Interval is the time between two blocks, 12 ms by default.
	Interval time.Duration
}

// Begin makes the plan of one transfer.
func (p Paced) Begin() Plan {
	if p.Interval <= 0 {
		p.Interval = 12 * time.Millisecond
	}
	return &pacedPlan{interval: p.Interval}
}

type pacedPlan struct {
	interval time.Duration
	next     time.Time
}

func (p *pacedPlan) Next(now time.Time, f *Flight) (int64, time.Time) {
	if now.Before(p.next) {
		return 0, p.next
	}
	b, wake := overdue(now, f, f.RTO())
	if b == 0 {
		b = f.Fresh()
	}
	if b == 0 {
		return 0, wake
	}
	p.next = now.Add(p.interval)
	return b, p.next
}

func (p *pacedPlan) Acked(time.Time, *Flight, int64, bool) {}
