package tftp

import "time"

// Window sends as RFC 7440 says: Size blocks, then it waits for the ACK of the last of
// them. An ACK of an earlier one tells of a gap, and what follows that block is sent
// again. With a Size of 1 (or 0) it is RFC 1350's lock-step, and an ACK that comes
// twice is not answered twice, so that the Sorcerer's Apprentice has no work (RFC 1123,
// section 4.2.3.1). It needs an other side whose ACKs are for all blocks up to the one
// they name.
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

// send names the next block of the window, 0 if it is sent.
func (p *windowPlan) send(f *Flight) int64 {
	if p.cursor >= p.end || p.cursor > f.Sent() && f.Fresh() == 0 {
		return 0
	}
	p.cursor++
	return p.cursor - 1
}

// open puts the window's beginning at a block.
func (p *windowPlan) open(at int64) { p.cursor, p.end = at, at+p.size }

// Acked moves the window. An ACK that repeats the one before tells that the window's
// first block is missing, and starts the window again; but not if it left before that
// block can have arrived, for then it says only what is known: the network has doubled
// it, or the other side has had a block twice.
func (p *windowPlan) Acked(now time.Time, f *Flight, _ int64, fresh bool) {
	switch {
	case fresh:
		p.open(f.First())
	case p.size == 1 || f.Sent() < f.First():
		// Nothing under way, or nothing to do about it before the timer.
	case f.answerable(now, f.First()):
		p.open(f.First())
	}
}
