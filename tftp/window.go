package tftp

import "time"

// Window sends as RFC 7440 says: Size blocks, and then it waits for the ACK of the last of them.
// An ACK of an earlier block reports a gap, and the blocks after that one are retransmitted.
// With a Size of 1 or 0 it is the lock-step of RFC 1350. A repeated ACK is then not answered, so
// that no packet is sent twice for ever (the Sorcerer's Apprentice; RFC 1123, section
// 4.2.3.1). The receiver's ACKs must acknowledge all blocks up to the one that they name.
type Window struct{ Size int }

// Begin makes the plan of one transfer.
func (w Window) Begin() Plan { return &windowPlan{size: int64(max(1, w.Size))} }

type windowPlan struct {
	size   int64
	cursor int64 // the next block of the window to send
	end    int64 // the first block behind the window
}

func (p *windowPlan) Next(now time.Time, f *Flight) (int64, time.Time) {
	if p.cursor == 0 {
		p.open(f.First())
	}
	if b := p.send(f); b != 0 {
		return b, time.Time{}
	}
	if due := f.Latest().Add(f.RTO()); now.Before(due) {
		return 0, due
	}
	p.open(f.First())
	return p.send(f), time.Time{}
}

// send returns the next block of the window, 0 if it is sent.
func (p *windowPlan) send(f *Flight) int64 {
	if p.cursor >= p.end || p.cursor > f.Sent() && f.Fresh() == 0 {
		return 0
	}
	p.cursor++
	return p.cursor - 1
}

// open begins a window at a block.
func (p *windowPlan) open(at int64) { p.cursor, p.end = at, at+p.size }

// Acked moves the window. A repeated ACK means that the first block of the window is missing,
// and restarts the window. But it means nothing if it was sent before that block can have
// arrived: the network has duplicated it, or the receiver got a block twice.
func (p *windowPlan) Acked(now time.Time, f *Flight, _ int64, fresh bool) {
	switch {
	case fresh:
		p.open(f.First())
	case p.size == 1 || f.Sent() < f.First():
		// Nothing is in flight, or the timer decides.
	case f.answerable(now, f.First()):
		p.open(f.First())
	}
}
