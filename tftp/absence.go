package tftp

import "time"

// An absence is a time during which the socket was not read, because this side was busy
// with its source or its sink.
type absence struct{ from, until time.Time }

// roundTrip is the time from sent until now, less the time that the answer may have
// waited in the socket. An answer that arrived during the absence was read right after
// it, so an answer that was read later waited for nothing. The correction never makes a
// sample shorter than srtt, and it takes off no more than the time of the absence:
// otherwise the estimate could not grow.
func (a absence) roundTrip(sent, now time.Time, srtt time.Duration) time.Duration {
	sample := now.Sub(sent)
	from := a.from
	if from.Before(sent) {
		from = sent
	}
	away := a.until.Sub(from)
	if srtt == 0 || away <= 0 || now.Sub(a.until) > away {
		return sample
	}
	return max(sample-away, min(sample, srtt))
}
