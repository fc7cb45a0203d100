package datagram

import "time"

// A spinner decides whether a Read looks before it sleeps. Where that was of no use
// several times in a row it is tried less and less often: on a network whose round trips
// take longer.
type spinner struct {
	time   time.Duration // how long; 0: never
	failed int           // times in a row
	skip   int           // Reads that sleep at once
}

const (
	// patience is how many failures in a row may be the machine's, which gave the
	// processor to somebody else. To sleep for their sake costs more: whoever wakes up
	// another often gets it on its own processor, where they then take turns.
	patience = 3

	// mostSkipped bounds how many Reads sleep at once after one that looked in vain.
	mostSkipped = 15

	// mostPolls bounds how often a Read looks, should the clock stand still.
	mostPolls = 1000
)

// spin looks for packets for a moment. It returns none if there are none, or if it is
// not worth while.
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
	for n := 0; n < mostPolls && time.Since(start) < s.time && c.ctx.Err() == nil; n++ {
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

// ended notes how looking for packets ended, and after how long.
func (s *spinner) ended(found bool, took time.Duration) {
	switch {
	case took > s.time+keptLong: // for all but a moment somebody else had the processor
		s.skip = hogSkip
	case found:
		s.failed = 0
	default:
		s.failed = min(s.failed+1, patience+10)
		if s.failed > patience {
			s.skip = min(1<<(s.failed-patience)-1, mostSkipped)
		}
	}
}
