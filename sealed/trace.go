package sealed

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"
)

// A Trace has functions that a sealed conn calls, any of which may be nil. The goroutine
// that reads the conn calls them, one at a time, while the conn is locked: they must return
// soon and must not use the conn.
type Trace struct {
	// Refused is called for every packet that did not open.
	Refused func(Refusal)
}

// A Refusal is a packet that did not open. It was dropped, and is never answered.
type Refusal struct {
	Addr   netip.AddrPort // the source; invalid if it is not a UDP address
	Reason Reason

	// Skew is by how much the sender's clock is ahead of this one, if Reason is Expired and
	// the packet was authenticated; otherwise 0. One packet a second is authenticated.
	Skew time.Duration
}

// A Reason is why a packet did not open.
type Reason int

// The reasons. Of a packet with several faults, the first that is checked counts.
const (
	Malformed  Reason = iota + 1 // not a sealed packet of version 1: the sender has no key
	UnknownKey                   // sealed with a key that is not in the list
	Forged                       // authentication failed: another purpose, a changed or an invented packet
	Expired                      // the sender id is too old or too new: the clocks differ, or it is an old packet
	Replayed                     // the packet has arrived before, or may have
	Reflected                    // the conn sent the packet itself
)

func (r Reason) String() string {
	switch r {
	case Malformed:
		return "not sealed"
	case UnknownKey:
		return "sealed with another key"
	case Forged:
		return "authentication failed: another purpose, or a forged packet"
	case Expired:
		return "too old or too new: do the clocks differ?"
	case Replayed:
		return "replayed"
	case Reflected:
		return "sent by this host"
	}
	return "opened"
}

// LogTrace returns a Trace that logs every packet that did not open, at level debug.
func LogTrace(l *slog.Logger) *Trace {
	return &Trace{Refused: func(r Refusal) {
		attrs := []slog.Attr{slog.String("addr", r.Addr.String()), slog.String("reason", r.Reason.String())}
		if r.Skew != 0 {
			attrs = append(attrs, slog.Duration("skew", r.Skew))
		}
		l.LogAttrs(context.Background(), slog.LevelDebug, "sealed: packet refused", attrs...)
	}}
}

// Stats counts the packets of a sealed conn.
type Stats struct {
	Sealed int // packets that were sealed, whether they could be sent or not
	Opened int // packets that were delivered

	// Packets that were not delivered, by Reason.
	Malformed  int
	UnknownKey int
	Forged     int
	Expired    int
	Replayed   int
	Reflected  int

	Senders int // sender ids that are remembered now
}

// Refused returns the number of packets that did not open, except those that the conn sent
// itself.
func (s Stats) Refused() int {
	return s.Malformed + s.UnknownKey + s.Forged + s.Expired + s.Replayed
}

func (s *Stats) refuse(r Reason) {
	switch r {
	case Malformed:
		s.Malformed++
	case UnknownKey:
		s.UnknownKey++
	case Forged:
		s.Forged++
	case Expired:
		s.Expired++
	case Replayed:
		s.Replayed++
	case Reflected:
		s.Reflected++
	}
}

// StatsOf returns the counts of a conn that [Config.Wrap] returned. For any other conn they
// are zero.
func StatsOf(pc net.PacketConn) Stats {
	if c, ok := pc.(interface{ sealedStats() Stats }); ok {
		return c.sealedStats()
	}
	return Stats{}
}
