package octoput

import (
	"time"
)

// unvouched is how long a transfer that was only opened keeps its place where others want
// one. Whoever is there has gone on by then; an OPEN with a forged address never does.
const unvouched = time.Second

// vacate makes room for another transfer, at the expense of the oldest one that was only
// opened, and reports whether it could. Nobody is told: a sender that is there after all,
// and has heard nothing, repeats its OPEN.
func (v *serving) vacate(now time.Time) bool {
	var oldest *transfer
	for _, t := range v.transfers {
		if opened := t.underWay() && t.block.Number == 1 && t.held == 0; opened && (oldest == nil || t.expires.Before(oldest.expires)) {
			oldest = t
		}
	}
	// When it expires counts from its OPEN, without what Sinks took meanwhile.
	if oldest == nil || now.Before(oldest.expires.Add(unvouched-v.giveUp)) {
		return false
	}
	oldest.sink.Abort(errBusy)
	v.finish(now, oldest, errBusy, CodeBusy)
	delete(v.transfers, oldest.key)
	return true
}

// vacate is the same at the side that was asked.
func (v *dispatch) vacate(now time.Time) bool {
	var oldest *delivery
	for _, d := range v.deliveries {
		if d.phase == opening && (oldest == nil || d.opened.Before(oldest.opened)) {
			oldest = d
		}
	}
	if oldest == nil || now.Before(oldest.opened.Add(unvouched)) {
		return false
	}
	v.finish(now, oldest, oldest.at(errBusy))
	return true
}
