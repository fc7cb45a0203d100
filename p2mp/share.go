package p2mp

import "time"

// A share divides what Sender.Rate allows among the channels that compete for it: the
// group, each receiver that is served by unicast, and the lock-step. It is a deficit round
// robin (Shreedhar and Varghese, 1995): in each round every channel may send as many bytes
// as the others, and one that has nothing to send passes its turn.
type share struct {
	rate    float64   // bytes per second; 0: any
	next    time.Time // when the rate allows the next packet
	quantum int       // bytes for each channel in a round
	refused bool      // a channel has used up its part of this round,
	sent    bool      // and one has sent something since the round was looked at
}

func newShare(bitsPerSecond float64, packet int) share {
	rate := bitsPerSecond / 8
	// What a millisecond allows, so that fast channels send in batches and slow ones in turns.
	return share{rate: rate, quantum: max(packet, min(outboxSize*packet, int(min(rate/1000, 1e9))))}
}

// may reports whether a channel may send a packet. deficit is what it may still send in this
// round.
func (s *share) may(now time.Time, deficit int) bool {
	switch {
	case s.rate <= 0:
		return true
	case s.next.After(now):
		return false
	case deficit <= 0:
		s.refused = true
		return false
	}
	return true
}

// spend takes n bytes from what the rate allows, and a channel may send in this round.
func (s *share) spend(now time.Time, deficit *int, n int) {
	if s.rate <= 0 {
		return
	}
	*deficit -= n
	s.sent = true
	// Unused time may be made up for, up to 20 ms.
	if floor := now.Add(-20 * time.Millisecond); s.next.Before(floor) {
		s.next = floor
	}
	s.next = s.next.Add(time.Duration(float64(n) / s.rate * float64(time.Second)))
}

// exhausted reports whether a new round begins: all channels that have something to send
// have used up their parts. It is asked after all channels had their turn.
func (s *share) exhausted(now time.Time) bool {
	sent := s.sent
	s.sent = false
	if sent || !s.refused || s.next.After(now) {
		return false
	}
	s.refused = false
	return true
}

// refill begins a round for a channel. The unused part of the last round expires.
func (s *share) refill(deficit *int) { *deficit = min(*deficit, 0) + s.quantum }
