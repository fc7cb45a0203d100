package lossy

import (
	"math"
	"time"
)

// A clock tells the time since it was started. Durations are compared and
// sorted faster than Times, and a monotonic clock is in them.
type clock struct {
	start time.Time
}

func startClock() clock { return clock{time.Now()} }

func (c clock) now() time.Duration { return time.Since(c.start) }

// time returns when a time was by the calendar.
func (c clock) time(at time.Duration) time.Time { return c.start.Add(at) }

// deadline returns the time of a deadline. The zero Time is never.
func (c clock) deadline(t time.Time) time.Duration {
	if t.IsZero() {
		return never
	}
	return t.Sub(c.start)
}

// never is a time that does not come.
const never time.Duration = math.MaxInt64

// addDelay returns t+d, or never if that is too much for a Duration. d is not
// negative.
func addDelay(t, d time.Duration) time.Duration {
	if d > never-t {
		return never
	}
	return t + d
}
