package p2mp

import "time"

// A join decides when a receiver is sent a HELLO, and when it is taken for one that
// does not know what that is. It reads no socket and no clock.
type join struct {
	until time.Time // half of the time for joining is for the classic mode
	tries int
	sent  time.Time
	due   time.Time
	busy  bool   // the receiver has answered that it is busy,
	token uint64 // with this token
}

const (
	// helloTries is how many HELLOs go unanswered before the classic mode is tried.
	helloTries = 10
	// helloSpacing is the longest time between two: all ten take 2.3 s, so that of the
	// five seconds that joining may take, half are left for the classic mode.
	helloSpacing = 250 * time.Millisecond
)

// next reports whether to send a HELLO at now, or that enough were sent; and when to
// ask again.
func (j *join) next(now time.Time) (send, exhausted bool, wake time.Time) {
	if now.Before(j.due) {
		return false, false, j.due
	}
	if j.tries == helloTries && !j.busy || j.tries > 0 && !now.Before(j.until) {
		return false, true, now
	}
	j.tries++
	j.sent = now
	j.due = earlier(now.Add(min(initialTimeout*time.Duration(j.tries), helloSpacing)), j.until)
	return true, false, j.due
}

// measured is the round trip that an answer at now tells, 0 if it cannot be known which
// HELLO was answered (Karn; RFC 6298, section 3).
func (j *join) measured(now time.Time) time.Duration {
	if j.tries != 1 {
		return 0
	}
	return now.Sub(j.sent)
}
