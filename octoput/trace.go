package octoput

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
)

// An Event is one packet of a transfer, or a timer that ran out, with what it changed.
type Event struct {
	// Session, Type, Block and Flags are the packet's. At a timeout Type is that of what
	// was sent in vain.
	Session uint32
	Type    Type
	Block   uint64
	Flags   Legs
	// Before and After are the octolegs of the octoblock in flight that the receiver
	// holds, before and after the event: at the sender, those that it knows of.
	Before, After Legs
	// Again: the packet repeats an earlier one.
	Again bool
	// RTT is the round trip that an ACK measured, 0 if it could not be measured.
	RTT time.Duration
}

// A Trace is a set of hooks that observe transfers. Any of them may be nil.
// They are called by the goroutine that called Send, Receive, Get or Serve, in the
// order of events, and hold up the transfer while they run. A Trace that
// several concurrent calls share must be safe for that.
type Trace struct {
	// Accepted: a transfer began: at the receiver the file was offered, at
	// [Sender.Serve] asked for.
	Accepted func(ferry.Offer)
	// Sent: a packet left.
	Sent func(to netip.AddrPort, e Event)
	// Received: a packet arrived that belongs to a transfer.
	Received func(from netip.AddrPort, e Event)
	// Timeout: no answer came in time; what is missing is sent again next.
	Timeout func(to netip.AddrPort, e Event)
	// WriteFailed: a packet could not leave this host. It counts as lost.
	WriteFailed func(to netip.AddrPort, err error)
	// Dropped: a packet was dropped on receipt. Nobody can know of packets that
	// he did not receive, so this is called through [Trace.Lost] alone, by a
	// program that loses packets on purpose.
	Dropped func(from netip.AddrPort, p Packet)
	// Bad: a packet was ignored. err says why: see [ErrTruncated] and those after it.
	Bad func(from netip.AddrPort, err error)
	// Finished: a transfer ended, with a nil error when the file is whole.
	Finished func(ferry.Offer, Report, error)
}

// Lost tells the trace of a packet that a simulated network, such as package
// lossy's, dropped on its way to this side. A nil Trace ignores it.
func (t *Trace) Lost(from netip.AddrPort, packet []byte) {
	if t == nil || t.Dropped == nil {
		return
	}
	if p, err := ParsePacket(packet); err == nil {
		t.Dropped(from, p)
	}
}

// LevelPacket is the level at which [LogTrace] logs what happens for every
// packet: below slog.LevelDebug, at which it logs losses and bad packets.
// What happens once per transfer is logged at slog.LevelInfo.
const LevelPacket = slog.LevelDebug - 4

// LogTrace returns a Trace that logs every event to l.
func LogTrace(l *slog.Logger) *Trace {
	ctx := context.Background()
	event := func(level slog.Level, msg string) func(netip.AddrPort, Event) {
		return func(peer netip.AddrPort, e Event) {
			l.LogAttrs(ctx, level, msg, peerAttr(peer), slog.Uint64("session", uint64(e.Session)),
				slog.String("type", e.Type.String()), slog.Uint64("block", e.Block), slog.String("flags", e.Flags.String()),
				slog.String("before", e.Before.String()), slog.String("after", e.After.String()),
				slog.Bool("again", e.Again), slog.Duration("rtt", e.RTT))
		}
	}
	failure := func(msg string) func(netip.AddrPort, error) {
		return func(peer netip.AddrPort, err error) {
			l.LogAttrs(ctx, slog.LevelDebug, msg, peerAttr(peer), errAttr(err))
		}
	}
	return &Trace{
		Accepted: func(o ferry.Offer) {
			l.LogAttrs(ctx, slog.LevelInfo, "transfer began", peerAttr(o.Addr), nameAttr(o), slog.Int64("size", o.Size))
		},
		Sent:        event(LevelPacket, "sent"),
		Received:    event(LevelPacket, "received"),
		Timeout:     event(slog.LevelDebug, "timeout"),
		WriteFailed: failure("write failed"),
		Dropped: func(from netip.AddrPort, p Packet) {
			l.LogAttrs(ctx, slog.LevelDebug, "packet dropped", peerAttr(from), slog.String("type", p.Type.String()),
				slog.Uint64("block", p.Block), slog.String("flags", p.Flags.String()))
		},
		Bad: failure("bad packet"),
		Finished: func(o ferry.Offer, r Report, err error) {
			l.LogAttrs(ctx, slog.LevelInfo, "transfer ended", peerAttr(o.Addr), nameAttr(o), slog.Int64("bytes", r.Bytes), errAttr(err))
		},
	}
}

func peerAttr(a netip.AddrPort) slog.Attr { return slog.String("peer", a.String()) }
func nameAttr(o ferry.Offer) slog.Attr    { return slog.String("name", o.Name) }
func errAttr(err error) slog.Attr         { return slog.Any("err", err) }
