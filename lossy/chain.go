package lossy

import (
	"math"
	"time"
)

// A chain applies the models of one direction. It is not safe for concurrent
// use.
type chain struct {
	flows     flowTable
	stats     Stats
	trace     *Trace
	direction Direction
	start     time.Time // of the clock

	// What follows is of the packet being judged, and here to be used again.
	x     passage
	f     *flow
	fates []fate
}

// A fate is the end of a packet's or of a copy's way through the models.
type fate struct {
	cause Cause // not empty: dropped
	delay time.Duration
}

func newChain(parts []*part, c *config, d Direction, start time.Time, shared map[*part]judge) chain {
	ch := chain{trace: c.trace, direction: d, start: start}
	ch.flows.parts = parts
	ch.flows.shared = shared
	if c.network {
		ch.flows.seed = seedByAddress(c.seed)
	} else {
		ch.flows.seed = seedByOrder(c.seed, d)
	}
	return ch
}

// judge decides about packet n of flow f, sent at the given time, and returns
// the fate of the packet followed by those of its copies. They are valid
// until the next call.
func (c *chain) judge(f *flow, n int, payload []byte, at time.Duration) []fate {
	c.x.Packet = Packet{From: f.from, To: f.to, Payload: payload, N: n}
	c.x.at = at
	f.seedRand(&c.x.rng)
	c.f = f
	c.fates = append(c.fates[:0], fate{})
	c.walk(0, 0)
	c.stats.Packets++
	c.stats.Bytes += len(payload)
	c.record()
	c.x.Payload = nil
	return c.fates
}

// walk takes the i-th fate through the judges from the given one on.
func (c *chain) walk(i, from int) {
	for k := from; k < len(c.f.judges); k++ {
		v := c.f.judges[k](&c.x)
		if v.cause != "" {
			c.fates[i].cause = v.cause
			return
		}
		c.fates[i].delay = addDelay(c.fates[i].delay, v.delay)
		for range v.copies {
			c.fates = append(c.fates, fate{delay: c.fates[i].delay})
			c.walk(len(c.fates)-1, k+1)
		}
	}
}

// record counts and traces the fates.
func (c *chain) record() {
	c.stats.Copies += len(c.fates) - 1
	for i, f := range c.fates {
		verdict := Passed
		switch {
		case f.cause != "":
			verdict = Dropped
			c.stats.drop(f.cause)
		case f.delay > 0:
			verdict = Delayed
			c.stats.Delayed++
		}
		if c.trace.Judged != nil {
			c.trace.Judged(Event{
				Packet: c.x.Packet, Direction: c.direction, Verdict: verdict,
				Cause: f.cause, Delay: f.delay, Copy: i, Time: c.start.Add(c.x.at),
			})
		}
	}
}

// refuse counts and traces a packet that is dropped without being judged,
// because there are too many.
func (c *chain) refuse(p *parcel, at time.Duration) {
	c.stats.Packets++
	c.stats.Bytes += len(p.payload)
	c.drop(p, CauseLimit, c.direction, at)
}

// drop counts and traces a drop that no model decided.
func (c *chain) drop(p *parcel, cause Cause, d Direction, at time.Duration) {
	c.stats.drop(cause)
	if c.trace.Judged != nil {
		c.trace.Judged(Event{
			Packet:    Packet{From: p.from, To: p.to, Payload: p.payload, N: p.n},
			Direction: d, Verdict: Dropped, Cause: cause, Copy: p.copy, Time: c.start.Add(at),
		})
	}
}

// never is a time that does not come.
const never time.Duration = math.MaxInt64
