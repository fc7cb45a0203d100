package p2mp

import "time"

// A backoff stops the data on a path of which nothing arrives any more, though the polls
// may be answered: the chunks may be too long for the path, or a filter, a policer or a
// broken link may take all of them. Answers alone are no progress; chunks that arrive are.
//
// The data stop when lostRun chunks, sent one after another, were lost. From then on one
// chunk at a time is sent, as a probe, with a poll behind it. Each lost probe doubles the
// time until the next one (RFC 8085, section 3.1.1). When a probe arrives the data go on at
// half the rate. A backoff is told the time, and reads no clock.
type backoff struct {
	stopped bool
	suspect bool          // the latest few chunks were lost: the next poll is sent soon
	stops   int           // how often the data were stopped
	probes  int           // how many probes were lost since then
	gap     time.Duration // until the next probe after one that was lost
	due     time.Time     // when the next probe may be sent
}

const (
	// lostRun is how many chunks in a row are lost, all of them sent before a poll that
	// arrived, when the data stop. Random losses never make such a run: 40 % make one
	// with a probability of 8e-20.
	lostRun = 48
	// After suspectRun of them polls follow each other after suspectPoll chunks.
	suspectRun  = 8
	suspectPoll = 16
	// A probe that is lost is followed by the next one after minProbeGap, or two round
	// trips, then after twice that, up to maxProbeGap.
	minProbeGap = 5 * time.Millisecond
	maxProbeGap = time.Second
	// keepRate is what is kept of the rate when the data go on.
	keepRate = 0.5
)

// judge is told how many of the latest chunks were lost in a row, and the shortest round
// trip. It reports whether the data resume. If silent is set, polls were unanswered as
// well. The next probe is then sent at once, because the path may be back.
func (b *backoff) judge(now time.Time, run int, rtt time.Duration, silent bool) (resumed bool) {
	b.suspect = run >= suspectRun
	switch lost := run >= lostRun; {
	case b.stopped && !lost:
		b.stopped = false
		return true
	case !b.stopped && lost:
		b.stopped, b.due = true, now
		b.gap = min(max(minProbeGap, 2*rtt), maxProbeGap)
		b.stops++
		b.probes = 0
	case b.stopped && silent:
		b.due = now
	case b.stopped:
		b.probes++
		b.due = now.Add(b.gap)
		b.gap = min(2*b.gap, maxProbeGap)
	}
	return false
}

// waits reports whether a probe that could be sent must wait, until due.
func (b *backoff) waits(now time.Time) bool { return b.stopped && now.Before(b.due) }
