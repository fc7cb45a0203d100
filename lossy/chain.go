package lossy

import (
	"net/netip"
	"time"
)

// A chain applies the models of one direction. It is not safe for concurrent
// use.
type chain struct {
	flows     flowTable
	watch     func(Event)        // or nil
	cut       func(flowKey) bool // whether nothing gets through, or nil
	direction Direction
	clock     clock
	group     netip.Addr // that the next packet to be judged was sent to, if to one

	// What follows is of the packet being judged, and here to be used again.
	x       passage
	f       *flow
	payload []byte
	fates   []fate
}

// A fate is the end of a packet's or a copy's way through the models.
type fate struct {
	cause   Cause // not empty: dropped
	delay   time.Duration
	next    int    // the judge that comes next
	altered []byte // the payload, if it is not the packet's own any more
}

// bytes returns the payload of a fate, given the packet's.
func (f *fate) bytes(payload []byte) []byte {
	if f.altered != nil {
		return f.altered
	}
	return payload
}

// judge decides about packet n of flow f, sent at the given time, counts it
// in s and returns the fate of the packet, followed by those of its copies.
// They are valid until the next call.
func (c *chain) judge(f *flow, n int, payload []byte, at time.Duration, s *Stats) []fate {
	c.flows.renew(f)
	x := &c.x
	x.From, x.To, x.Group, x.N = f.from, f.to, c.group, n
	x.at = at
	x.scratch = x.scratch[:0]
	f.seedRand(&x.rng)
	c.f, c.payload = f, payload
	c.fates = append(c.fates[:0], fate{})
	if c.cut != nil && c.cut(f.flowKey) {
		c.fates[0].cause = CauseCut
	}
	for i := 0; i < len(c.fates); i++ { // copies are appended meanwhile
		c.walk(i)
	}
	c.record(s)
	c.x.Payload, c.payload = nil, nil
	return c.fates
}

// walk takes fate i through the judges that are left for it. The copies that
// they make come after it, so that the packet's own random numbers do not
// depend on them.
func (c *chain) walk(i int) {
	x, f := &c.x, c.fates[i]
	x.Payload, x.altered, x.own = f.bytes(c.payload), f.altered, false
	x.holders = x.holders[:0]
	for k := f.next; k < len(c.f.judges) && f.cause == ""; k++ {
		x.delay = f.delay
		v := c.f.judges[k](x)
		f.cause = v.cause
		f.delay = addDelay(f.delay, v.delay)
		f.altered = x.altered
		k += v.skip
		for range v.copies {
			c.fates = append(c.fates, fate{delay: f.delay, next: k + 1, altered: f.altered})
			x.own = false
		}
	}
	c.fates[i] = f
}

// record counts and traces the fates.
func (c *chain) record(s *Stats) {
	s.Packets++
	s.Bytes += len(c.payload)
	s.Copies += len(c.fates) - 1
	for i := range c.fates {
		f := &c.fates[i]
		switch {
		case f.cause != "":
			s.drop(f.cause)
		case f.delay > 0:
			s.Delayed++
		}
		if f.altered != nil {
			s.Corrupted++
		}
		if c.watch != nil {
			c.report(i)
		}
	}
}

// report calls the watcher with fate i. (It is apart for the sake of the stack:
// a timer's goroutine begins with a small one, and would have to copy it.)
//
//go:noinline
func (c *chain) report(i int) { c.watch(c.event(i)) }

// event describes fate i.
func (c *chain) event(i int) Event {
	f := c.fates[i]
	e := Event{
		Packet: c.x.Packet, Direction: c.direction, Copy: i,
		Corrupted: f.altered != nil, Time: c.clock.time(c.x.at),
	}
	e.Payload = f.bytes(c.payload)
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
	if c.watch != nil {
		c.watch(Event{
			Packet: p.packet(), Direction: d, Verdict: Dropped, Cause: cause,
			Copy: p.copy, Corrupted: p.corrupted, Time: c.clock.time(at),
		})
	}
}
