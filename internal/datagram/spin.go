package datagram

import "time"

// spinTime is how long a Read looks again and again before it sleeps: about what it
// takes to fall asleep and to be woken up, so that at worst it takes twice as long.
const spinTime = 50 * time.Microsecond

// A spinner decides whether a Read looks before it sleeps. Where that was of no use it
// is tried less and less often: on a network whose round trips take longer, or where the
// other side waits for this very processor.
type spinner struct {
	on     bool
	failed int // times in a row
	skip   int // Reads that sleep at once
}

const (
	// mostSkipped bounds how many Reads sleep at once after one that looked in vain.
	mostSkipped = 15

	// mostPolls bounds how often a Read looks, should the clock stand still.
	mostPolls = 1000
)

// spin looks for packets for a moment. It returns none if there are none, or if it is
// not worth while.
func (c *Conn) spin(p poller, deadline time.Time) ([]Packet, error) {
	s := &c.spinner
	if !s.on {
		return nil, nil
	}
	start := time.Now()
	if !deadline.IsZero() && deadline.Before(start.Add(spinTime)) {
		return nil, nil
	}
	if s.skip > 0 {
		s.skip--
		return nil, nil
	}
	for n := 0; n < mostPolls && time.Since(start) < spinTime && c.ctx.Err() == nil; n++ {
		pkts, err := c.keep(p.poll(c.pkts[:0]))
		if len(pkts) > 0 || err != nil {
			s.failed = 0
			return pkts, err
		}
	}
	s.failed = min(s.failed+1, 10)
	s.skip = min(1<<s.failed-1, mostSkipped)
	return nil, nil
}
