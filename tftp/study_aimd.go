package tftp

import "time"

// AIMD is a selective repeat whose window follows the losses as TCP's does (RFC 5681). The window
// doubles in each round trip until the first loss, and then grows by one block in each. A loss
// halves it. Every loss is taken for congestion.
type AIMD struct{}

// Begin makes the plan of one transfer.
func (AIMD) Begin() Plan { return &aimdPlan{window: 2, threshold: 1 << 30} }

type aimdPlan struct {
	window, threshold float64
	halved            time.Time
}

func (p *aimdPlan) Next(now time.Time, f *Flight) (int64, time.Time) {
	b, wake := overdue(now, f, f.RTO())
	if b != 0 {
		if now.Sub(p.halved) >= f.RTO() { // once for the losses of one round trip
			p.halved = now
			p.threshold = max(2, p.window/2)
			p.window = p.threshold
		}
		return b, wake
	}
	if f.Unacked() < int(p.window) {
		if b := f.Fresh(); b != 0 {
			return b, wake
		}
	}
	return 0, wake
}

func (p *aimdPlan) Acked(_ time.Time, _ *Flight, _ int64, fresh bool) {
	switch {
	case !fresh:
	case p.window < p.threshold:
		p.window++
	default:
		p.window += 1 / p.window
	}
}
