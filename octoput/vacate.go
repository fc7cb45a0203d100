package octoput

import "time"

// unvouched is how long a transfer that was only opened keeps its place where others want
// one. Whoever is there has gone on by then; an OPEN with a forged address never does.
const unvouched = time.Second

// vacate makes room for another transfer, at the expense of the oldest one that was only
// opened, and reports whether it could. Nobody is told: a sender that is there after all
// repeats its OPEN.
func (v *serving) vacate(now time.Time) bool {
	var oldest *transfer
	for _, t := range v.transfers {
		opened := t.underWay() && t.block.Number == 1 && t.held == 0
		if opened && !now.Before(t.start.Add(unvouched)) && (oldest == nil || t.start.Before(oldest.start)) {
			oldest = t
		}
	}
	if oldest == nil {
		return false
	}
	oldest.sink.Abort(ErrBusy)
	v.finish(now, oldest, ErrBusy, CodeBusy)
	delete(v.transfers, key{oldest.offer.Peer, oldest.offer.Session})
	return true
}

// vacate is the same at the side that was asked.
func (v *dispatch) vacate(now time.Time) bool {
	var oldest *delivery
	for _, d := range v.deliveries {
		if d.phase == opening && !now.Before(d.start.Add(unvouched)) && (oldest == nil || d.start.Before(oldest.start)) {
			oldest = d
		}
	}
	if oldest == nil {
		return false
	}
	v.finish(now, oldest, oldest.at(ErrBusy))
	return true
}
