package lossy

import (
	"fmt"
	"time"
)

// Slots lets packets leave in bursts, as a radio does that waits for its turn
// and then sends all that it has: netem's "slot". The time from one slot to the next is
// uniformly distributed between least and most. The packets that wait for a slot leave in
// it, in their order, up to a number of packets and of bytes (0: no limit; a single packet
// always fits). A packet that comes when no slot is pending waits a new interval. Models
// that delay come before Slots. It panics if least is negative, most is 0 or less than that, or a
// bound is negative.
func Slots(least, most time.Duration, packets, bytes int) Model {
	checkDuration("Slots", "least interval", least)
	if most < least || most == 0 {
		panic(fmt.Sprintf("lossy: Slots: most %v is 0 or below least %v", most, least))
	}
	if packets < 0 || bytes < 0 {
		panic(fmt.Sprintf("lossy: Slots: a bound of %d packets or %d bytes is negative", packets, bytes))
	}
	return stateful(func() judge {
		s := &slots{least: least, width: float64(most - least), packets: packets, bytes: bytes, now: slot{at: -1}}
		return s.judge
	})
}

// slots is the state of one Slots.
type slots struct {
	least          time.Duration
	width          float64
	packets, bytes int

	now    slot // that takes packets
	before slot // its state before the packet that came last
}

// A slot is a time at which packets leave, and their number and bytes.
type slot struct {
	at             time.Duration
	packets, bytes int
}

func (s *slots) judge(x *passage) verdict {
	interval := s.least + time.Duration(x.uniform()*s.width)
	ready := addDelay(x.at, x.delay)
	size := len(x.Payload)
	s.before = s.now
	switch {
	case s.now.at < ready: // overdue
		s.now = slot{at: addDelay(ready, interval)}
	case s.full(size):
		s.now = slot{at: addDelay(s.now.at, interval)}
	}
	s.now.packets++
	s.now.bytes += size
	x.holders = append(x.holders, s)
	return verdict{delay: s.now.at - ready}
}

func (s *slots) undo() { s.now = s.before }

// full reports whether the slot has no room for a packet.
func (s *slots) full(size int) bool {
	return s.now.packets > 0 &&
		(s.packets > 0 && s.now.packets >= s.packets || s.bytes > 0 && s.now.bytes+size > s.bytes)
}
