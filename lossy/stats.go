package lossy

import "net"

// Stats counts packets. Each packet judged, and each copy, is
// passed on, dropped for one cause, or still in flight:
//
//	Packets + Copies = Passed + Dropped() + in flight
type Stats struct {
	Packets   int // judged, or arrived
	Bytes     int // of their payloads
	Copies    int // made by Duplicate
	Delayed   int // packets and copies that were given a delay
	Corrupted int // packets and copies of which bits were flipped
	Passed    int // packets and copies that were written or put into a receive queue

	Lost        int // dropped by Loss, GilbertElliott or FourState
	Crowded     int // dropped by Crowding
	QueueFull   int // dropped by Rate, RateWith or Limit
	Scripted    int // dropped by DropNth, DropEvery or DropIf
	TooLong     int // dropped by MTU
	Cut         int // dropped because a partition lay between
	Overflowed  int // dropped because the receive queue was full
	OverLimit   int // dropped because too many were in flight
	Unreachable int // sent to an address that no conn of the Network has
	Refused     int // that the inner conn could not write
}

// Dropped is the sum of all drops.
func (s Stats) Dropped() int {
	return s.Lost + s.Crowded + s.QueueFull + s.Scripted + s.TooLong + s.Cut +
		s.Overflowed + s.OverLimit + s.Unreachable + s.Refused
}

// drop counts a drop.
func (s *Stats) drop(c Cause) {
	switch c {
	case CauseLoss:
		s.Lost++
	case CauseCrowding:
		s.Crowded++
	case CauseQueue:
		s.QueueFull++
	case CauseScript:
		s.Scripted++
	case CauseMTU:
		s.TooLong++
	case CauseCut:
		s.Cut++
	case CauseOverflow:
		s.Overflowed++
	case CauseLimit:
		s.OverLimit++
	case CauseNobody:
		s.Unreachable++
	case CauseRefused:
		s.Refused++
	}
}

// add adds the counts of t to those of s.
func (s *Stats) add(t *Stats) {
	s.Packets += t.Packets
	s.Bytes += t.Bytes
	s.Copies += t.Copies
	s.Delayed += t.Delayed
	s.Corrupted += t.Corrupted
	s.Passed += t.Passed
	s.Lost += t.Lost
	s.Crowded += t.Crowded
	s.QueueFull += t.QueueFull
	s.Scripted += t.Scripted
	s.TooLong += t.TooLong
	s.Cut += t.Cut
	s.Overflowed += t.Overflowed
	s.OverLimit += t.OverLimit
	s.Unreachable += t.Unreachable
	s.Refused += t.Refused
}

// StatsOf returns the statistics of a conn that [Wrap] returned, or of a
// [Conn]. For any other conn they are zero, as are those of a direction in which a
// wrapped conn has no models.
func StatsOf(pc net.PacketConn) (egress, ingress Stats) {
	if c, ok := pc.(interface {
		Stats() (egress, ingress Stats)
	}); ok {
		return c.Stats()
	}
	return Stats{}, Stats{}
}
