package datagram

import "time"

// A spinner decides whether a Read polls before it sleeps. After several Reads that polled in
// vain it polls less and less often: the network's round trips take longer than a poll.
type spinner struct {
	time   time.Duration // how long to poll; 0: never
	failed int           // consecutive Reads that found nothing
	skip   int           // the number of Reads that sleep at once
}

const (
	// maxFailures is how many consecutive failures do not count: another process may have
	// had the processor. To sleep because of them costs more, as a process that wakes
	// another often shares a processor with it from then on.
	maxFailures = 3

	// maxSkipped bounds how many Reads sleep at once after one that found nothing.
	maxSkipped = 15

	// maxPolls bounds how often a Read polls, in case the clock does not advance.
	maxPolls = 1000
)

// spin polls for a moment. It returns nothing if nothing arrives, or if it does not poll.
func (c *Conn) spin(p poller, deadline time.Time) ([]Packet, error) {
	s := &c.spinner
	if s.time == 0 {
		return nil, nil
	}
	start := time.Now()
	if !deadline.IsZero() && deadline.Before(start.Add(s.time)) {
		return nil, nil
	}
	if s.skip > 0 {
		s.skip--
		return nil, nil
	}
	for n := 0; n < maxPolls && time.Since(start) < s.time && c.ctx.Err() == nil; n++ {
		if n > 0 {
			c.yield()
		}
		pkts, err := c.keep(p.poll(c.pkts[:0]))
		if len(pkts) > 0 || err != nil {
			s.ended(true, time.Since(start))
			return pkts, err
		}
	}
	s.ended(false, time.Since(start))
	return nil, nil
}

// ended notes whether polling found something, and how long it took.
func (s *spinner) ended(found bool, took time.Duration) {
	switch {
	case took > s.time+longYield: // another process had the processor for most of it
		s.skip = skipAfterLong
	case found:
		s.failed = 0
	default:
		s.failed = min(s.failed+1, maxFailures+10)
		if s.failed > maxFailures {
			s.skip = min(1<<(s.failed-maxFailures)-1, maxSkipped)
		}
	}
}
