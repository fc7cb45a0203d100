package tftp

import "time"

// StopAndWait sends a block and waits for its ACK before it sends the next (UDP
// file delivery assignment, "About TFTP", points 4 to 7). When none has come after the
// timeout it sends the block again.
type StopAndWait struct {
	// Timeout fixes the timer. 0 or less means that it follows the measured round trip.
	Timeout time.Duration
}

// Begin makes the plan of one transfer.
func (s StopAndWait) Begin() Plan { return &stopAndWaitPlan{max(0, s.Timeout)} }

type stopAndWaitPlan struct{ timeout time.Duration }

func (p *stopAndWaitPlan) Next(now time.Time, f *Flight) (int64, time.Time) {
	if f.Unacked() == 0 {
		return f.Fresh(), time.Time{}
	}
	if due := f.Latest().Add(orDefault(p.timeout, f.RTO())); now.Before(due) {
		return 0, due
	}
	return f.First(), time.Time{}
}

func (p *stopAndWaitPlan) Acked(time.Time, *Flight, int64, bool) {}
