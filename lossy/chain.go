package lossy

import "time"

// A chain applies the models of one direction. It is not safe for concurrent
// use.
type chain struct {
	flows     flowTable
	trace     *Trace
	direction Direction
	clock     clock

	// What follows is of the packet being judged, and here to be used again.
	x     passage
	f     *flow
	fates []fate
}

// A fate is the end of a packet's or a copy's way through the models.
type fate struct {
	cause Cause // not empty: dropped
	delay time.Duration
	next  int // the judge that comes next
}

// judge decides about packet n of flow f, sent at the given time, counts it
// in s and returns the fate of the packet, followed by those of its copies.
// They are valid until the next call.
func (c *chain) judge(f *flow, n int, payload []byte, at time.Duration, s *Stats) []fate {
	c.x.Packet = Packet{From: f.from, To: f.to, Payload: payload, N: n}
	c.x.at = at
	f.seedRand(&c.x.rng)
	c.f = f
	c.fates = append(c.fates[:0], fate{})
	for i := 0; i < len(c.fates); i++ { // copies are appended meanwhile
		c.walk(i)
	}
	c.record(s)
	c.x.Payload = nil
	return c.fates
}

// walk takes fate i through the judges that are left for it. The copies that
// they make come after it, so that the packet's own random numbers do not
// depend on them.
func (c *chain) walk(i int) {
	f := c.fates[i]
	for k := f.next; k < len(c.f.judges) && f.cause == ""; k++ {
		v := c.f.judges[k](&c.x)
		f.cause = v.cause
		f.delay = addDelay(f.delay, v.delay)
		for range v.copies {
			c.fates = append(c.fates, fate{delay: f.delay, next: k + 1})
		}
	}
	c.fates[i] = f
}

// record counts and traces the fates.
func (c *chain) record(s *Stats) {
	s.Packets++
	s.Bytes += len(c.x.Payload)
	s.Copies += len(c.fates) - 1
	for i, f := range c.fates {
		switch {
		case f.cause != "":
			s.drop(f.cause)
		case f.delay > 0:
			s.Delayed++
		}
		if c.trace.Judged != nil {
			c.trace.Judged(c.event(i))
		}
	}
}

// event describes fate i.
func (c *chain) event(i int) Event {
	f := c.fates[i]
	e := Event{Packet: c.x.Packet, Direction: c.direction, Copy: i, Time: c.clock.time(c.x.at)}
	switch {
	case f.cause != "":
		e.Verdict, e.Cause = Dropped, f.cause
	case f.delay > 0:
		e.Verdict, e.Delay = Delayed, f.delay
	}
	return e
}

// drop counts and traces a drop that no model decided.
func (c *chain) drop(p *parcel, cause Cause, d Direction, at time.Duration, s *Stats) {
	s.drop(cause)
	if c.trace.Judged != nil {
		c.trace.Judged(Event{
			Packet: p.packet(), Direction: d, Verdict: Dropped, Cause: cause,
			Copy: p.copy, Time: c.clock.time(at),
		})
	}
}
