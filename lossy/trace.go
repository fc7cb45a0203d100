package lossy

import (
	"context"
	"log/slog"
	"net/netip"
	"time"
)

// A Trace reports the fate of packets. Its functions may be nil. They are
// called by one goroutine at a time for each Network or wrapped conn, while
// that is locked: they must return soon and must not use its conns.
type Trace struct {
	// Judged is called once for every packet and every copy of one, when it
	// is sent (or, for ingress, read), and again if it is dropped later. In a
	// Network the order of the calls is the same in every run.
	Judged func(Event)
}

// An Event is one verdict.
type Event struct {
	Packet
	Direction Direction
	Verdict   Verdict
	Cause     Cause         // why it was dropped, or empty
	Delay     time.Duration // how much later it leaves or arrives, if not dropped
	Copy      int           // 0 for the packet itself, from 1 for copies of it
	Corrupted bool          // bits of the payload are not as they were sent
	Time      time.Time     // when it was sent or read, or, for a later drop, dropped
}

// A Direction tells writing from reading.
type Direction uint8

// A Network judges only what is written. A packet that finds the receive
// queue of a conn full is an Incoming drop.
const (
	Outgoing Direction = iota
	Incoming
)

func (d Direction) String() string {
	if d == Incoming {
		return "incoming"
	}
	return "outgoing"
}

// A Verdict is the fate of a packet. A copy is judged separately; its
// event has a Copy number.
type Verdict uint8

// These are all verdicts.
const (
	Passed  Verdict = iota // at once
	Delayed                // later, by Event.Delay
	Dropped                // never, for Event.Cause
)

func (v Verdict) String() string {
	switch v {
	case Passed:
		return "passed"
	case Delayed:
		return "delayed"
	default:
		return "dropped"
	}
}

// LogTrace returns a Trace that logs drops at level debug, and everything
// else four levels below. It panics if l is nil.
func LogTrace(l *slog.Logger) *Trace {
	if l == nil {
		panic("lossy: LogTrace: the Logger is nil")
	}
	return &Trace{Judged: func(e Event) {
		level := slog.LevelDebug - 4
		if e.Verdict == Dropped {
			level = slog.LevelDebug
		}
		if !l.Enabled(context.Background(), level) {
			return
		}
		l.LogAttrs(context.Background(), level, "lossy: "+e.Verdict.String(), e.attrs()...)
	}}
}

func (e Event) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("direction", e.Direction.String()),
		slog.String("from", e.From.String()),
		slog.String("to", e.To.String()),
		slog.Int("n", e.N),
		slog.Int("bytes", len(e.Payload)),
	}
	if e.Copy > 0 {
		attrs = append(attrs, slog.Int("copy", e.Copy))
	}
	if e.Delay > 0 {
		attrs = append(attrs, slog.Duration("delay", e.Delay))
	}
	if e.Corrupted {
		attrs = append(attrs, slog.Bool("corrupted", true))
	}
	if e.Group.IsValid() {
		attrs = append(attrs, slog.String("group", e.Group.String()))
	}
	if e.Cause != "" {
		attrs = append(attrs, slog.String("cause", string(e.Cause)))
	}
	return attrs
}

// A Packet is one datagram as a predicate or a [Trace] sees it.
type Packet struct {
	// From and To say which flow the packet belongs to. IPv4 addresses are
	// in their 4-byte form. Behind a [Wrap] the local one is the address the
	// conn is bound to, which may be unspecified ([::]:7735).
	From, To netip.AddrPort

	// Group is the multicast group that the packet was sent to. To is then
	// the member of it that this flow leads to. It is invalid otherwise.
	Group netip.Addr

	// Payload is the datagram. It is valid during the call only, and must not
	// be changed.
	Payload []byte

	// N is the packet's number in its flow, from 1. Every packet written (or
	// read, for ingress) counts, dropped ones included; a copy has its
	// original's number.
	N int
}

// A Cause is the reason of a drop. It is empty if a packet was not dropped.
type Cause string

// The causes of this package. More may come.
const (
	CauseLoss     Cause = "loss"               // Loss, GilbertElliott or FourState
	CauseCrowding Cause = "crowding"           // Crowding
	CauseQueue    Cause = "queue full"         // the queue of a Rate, or a Limit
	CauseScript   Cause = "script"             // DropNth, DropEvery or DropIf
	CauseMTU      Cause = "too long"           // MTU
	CauseCut      Cause = "cut"                // Network.Partition
	CauseOverflow Cause = "receive queue full" // the reader was too slow
	CauseLimit    Cause = "too many in flight" // more than a conn may have in flight
	CauseNobody   Cause = "nobody there"       // no conn of the Network has the address
	CauseRefused  Cause = "refused"            // the wrapped conn could not write it
)
