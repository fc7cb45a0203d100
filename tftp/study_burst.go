package tftp

import "time"

// Burst sends N blocks at once, and then nothing until Interval has passed. It is for a network
// that counts the packets of the last milliseconds: the first packets after a pause find the
// count at zero, and the pause lets the ACKs return before a block is retransmitted.
//
// New blocks are sent first, because the other side certainly lacks them. Of the other blocks
// perhaps only the ACK is lost; the one that was sent the longest time ago is next.
type Burst struct {
	// N is how many blocks make a burst, 12 by default.
	N int
	// Interval is from one burst to the next. 0 means two round trips.
	Interval time.Duration
}

// Begin makes the plan of one transfer.
func (b Burst) Begin() Plan {
	if b.N <= 0 {
		b.N = 12
	}
	return &burstPlan{n: b.N, interval: b.Interval}
}

type burstPlan struct {
	n        int
	interval time.Duration
	began    time.Time // this burst
	left     int       // blocks still to send in it
}

func (p *burstPlan) Next(now time.Time, f *Flight) (int64, time.Time) {
	next := p.began.Add(p.every(f))
	if !p.began.IsZero() && p.left == 0 && now.Before(next) {
		return 0, next
	}
	if p.left == 0 {
		p.began, p.left = now, p.n
		next = now.Add(p.every(f))
	}
	b := freshOrStale(f, p.began)
	if b == 0 {
		p.left = 0
		return 0, next
	}
	p.left--
	return b, next
}

// every is the time from one burst to the next.
func (p *burstPlan) every(f *Flight) time.Duration {
	if p.interval > 0 {
		return p.interval
	}
	return max(2*f.RTT(), f.RTO())
}

func (p *burstPlan) Acked(time.Time, *Flight, int64, bool) {}

// freshOrStale returns a new block, or else the unacknowledged block that was sent the longest
// time ago, if that was before a given time; or 0.
func freshOrStale(f *Flight, before time.Time) int64 {
	if b := f.Fresh(); b != 0 {
		return b
	}
	if b := oldest(f); b != 0 && f.SentAt(b).Before(before) {
		return b
	}
	return 0
}
