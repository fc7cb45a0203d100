package lossy

import (
	"fmt"
	"time"
)

// Slots lets packets leave in bursts, as a radio does that waits for its turn
// and then sends all that it has: netem's "slot". From one slot to the next is
// a time uniformly distributed between least and most. In a slot leave those
// that wait for it, up to so many packets and bytes (0: any number; a single packet
// is never too many), in their order, and a packet that comes when a slot is
// overdue waits for one that begins anew. What other models delay is to come
// before. It panics if least is negative, most is 0 or less than that, or a
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
	before slot // what it was before the packet that came last
}

// A slot is when packets leave, and what has been put there.
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
