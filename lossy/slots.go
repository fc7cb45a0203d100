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
		s := &slots{least: least, width: float64(most - least), packets: packets, bytes: bytes, next: -1}
		return s.judge
	})
}

// slots is the state of one Slots.
type slots struct {
	least          time.Duration
	width          float64
	packets, bytes int

	next            time.Duration // when the slot is that takes packets now
	inSlot, byteSum int           // what it has taken
}

func (s *slots) judge(x *passage) verdict {
	interval := s.least + time.Duration(x.uniform()*s.width)
	ready := addDelay(x.at, x.delay)
	size := len(x.Payload)
	switch {
	case s.next < ready: // overdue
		s.begin(addDelay(ready, interval))
	case s.full(size):
		s.begin(addDelay(s.next, interval))
	}
	s.inSlot++
	s.byteSum += size
	return verdict{delay: s.next - ready}
}

// begin goes on to a slot at a time.
func (s *slots) begin(at time.Duration) { s.next, s.inSlot, s.byteSum = at, 0, 0 }

// full reports whether the slot has no room for a packet.
func (s *slots) full(size int) bool {
	return s.inSlot > 0 &&
		(s.packets > 0 && s.inSlot >= s.packets || s.bytes > 0 && s.byteSum+size > s.bytes)
}
