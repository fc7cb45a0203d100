package tftp

import "time"

// SelectiveRepeat keeps N blocks in flight, each with a timer. A block that is not acknowledged
// in time is retransmitted alone. The receiver must keep blocks that arrive out of order, and
// acknowledge each (UDP file delivery assignment, "Your job", TftpClient).
type SelectiveRepeat struct {
	// N is how many blocks are in flight, 16 by default.
	N int
}

// Begin makes the plan of one transfer.
func (s SelectiveRepeat) Begin() Plan {
	if s.N <= 0 {
		s.N = 16
	}
	return &selectivePlan{n: s.N}
}

type selectivePlan struct{ n int }

func (p *selectivePlan) Next(now time.Time, f *Flight) (int64, time.Time) {
	b, wake := overdue(now, f, f.RTO())
	if b != 0 {
		return b, wake
	}
	if f.Unacked() < p.n {
		if b := f.Fresh(); b != 0 {
			return b, wake
		}
	}
	return 0, wake
}

func (p *selectivePlan) Acked(time.Time, *Flight, int64, bool) {}

// overdue returns the lowest block that was sent more than timeout ago, or 0 and when there will
// be one.
func overdue(now time.Time, f *Flight, timeout time.Duration) (block int64, wake time.Time) {
	for b := f.First(); b <= f.Sent(); b++ {
		if f.Acked(b) {
			continue
		}
		due := f.SentAt(b).Add(timeout)
		if !now.Before(due) {
			return b, time.Time{}
		}
		wake = earlier(wake, due)
	}
	return 0, wake
}

// oldest returns the unacknowledged block that was sent the longest time ago, or 0.
func oldest(f *Flight) (block int64) {
	for b := f.First(); b <= f.Sent(); b++ {
		if !f.Acked(b) && (block == 0 || f.SentAt(b).Before(f.SentAt(block))) {
			block = b
		}
	}
	return block
}
