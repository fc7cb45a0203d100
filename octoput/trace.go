package octoput

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
)

// A Trace is a set of hooks that observe transfers. Any of them may be nil. They are called
// by the goroutine that called Send, Receive, Get or Serve, in the order of the events, and
// delay the transfer while they run. A Trace that several concurrent calls share must be
// safe for that.
type Trace struct {
	// Accepted: a transfer began. At a receiver a file was offered, at [Sender.Serve] it was
	// asked for.
	Accepted func(TransferEvent)
	// Finished: a transfer ended, or was refused. Err is nil if the receiver has the whole
	// file.
	Finished func(TransferEvent)

	// Sent: a packet was sent.
	Sent func(PacketEvent)
	// Received: a packet arrived that belongs to a transfer.
	Received func(PacketEvent)
	// Timeout: no answer came in time. The missing octolegs are retransmitted next.
	Timeout func(PacketEvent)
	// WriteFailed: a packet could not be sent, for the reason Err. It counts as lost.
	WriteFailed func(PacketEvent)
	// PacketLoss: a packet was dropped on receipt. A side does not know of packets that it
	// did not receive. This hook is called only through [Trace.Lost], by a program that
	// drops packets on purpose.
	PacketLoss func(PacketEvent)
	// Ignored: a packet was ignored. Err is the reason: an error of this package, such as
	// [ErrType], or of package ferry.
	Ignored func(PacketEvent)
}

// A TransferEvent is about a transfer as a whole.
type TransferEvent struct {
	// Addr is the other side.
	Addr  netip.AddrPort
	Offer ferry.Offer
	// Report is what happened. Only Finished has it.
	Report Report
	Err    error
}

// A PacketEvent is about one packet of a transfer, or a timeout. Which fields are set
// depends on the hook.
type PacketEvent struct {
	// Addr is the other side, or the sender of an ignored packet.
	Addr netip.AddrPort
	// Session, Type, Block and Flags are the packet's; at a timeout, those of the
	// packet that was not answered.
	Session uint32
	Type    Type
	Block   uint64
	Flags   Legs
	// Before and After are the octolegs of the octoblock in flight that the receiver
	// holds, before and after the event: at the sender, those that it knows of.
	Before, After Legs
	// Again is set if the packet repeats an earlier one.
	Again bool
	// RTT is the round trip that an ACK measured, 0 if it could not be measured.
	RTT time.Duration
	Err error
}

// Lost tells the trace of a packet that a simulated network, such as package
// lossy's, dropped on its way to this side. A nil Trace ignores it.
func (t *Trace) Lost(from netip.AddrPort, packet []byte) {
	if t == nil || t.PacketLoss == nil {
		return
	}
	if p, err := ParsePacket(packet); err == nil {
		t.PacketLoss(PacketEvent{Addr: from, Session: p.Session, Type: p.Type, Block: p.Block, Flags: p.Flags})
	}
}

// LevelPacket is the level at which [LogTrace] logs each packet, below slog.LevelDebug.
const LevelPacket = slog.LevelDebug - 4

// LogTrace returns a Trace that logs every event to l. Packets are logged at LevelPacket,
// losses, ignored packets and failed writes at slog.LevelDebug, the beginning and the end
// of a transfer at slog.LevelInfo.
func LogTrace(l *slog.Logger) *Trace {
	ctx := context.Background()
	packet := func(level slog.Level, msg string) func(PacketEvent) {
		return func(e PacketEvent) {
			l.LogAttrs(ctx, level, msg, peerAttr(e.Addr), slog.Uint64("session", uint64(e.Session)),
				slog.String("type", e.Type.String()), slog.Uint64("block", e.Block), slog.String("flags", e.Flags.String()),
				slog.String("before", e.Before.String()), slog.String("after", e.After.String()),
				slog.Bool("again", e.Again), slog.Duration("rtt", e.RTT))
		}
	}
	failure := func(msg string) func(PacketEvent) {
		return func(e PacketEvent) {
			l.LogAttrs(ctx, slog.LevelDebug, msg, peerAttr(e.Addr), errAttr(e.Err))
		}
	}
	return &Trace{
		Accepted: func(e TransferEvent) {
			l.LogAttrs(ctx, slog.LevelInfo, "transfer began", peerAttr(e.Addr), nameAttr(e.Offer), slog.Int64("size", e.Offer.Size))
		},
		Sent:        packet(LevelPacket, "sent"),
		Received:    packet(LevelPacket, "received"),
		Timeout:     packet(slog.LevelDebug, "timeout"),
		PacketLoss:  packet(slog.LevelDebug, "packet dropped"),
		WriteFailed: failure("write failed"),
		Ignored:     failure("packet ignored"),
		Finished: func(e TransferEvent) {
			l.LogAttrs(ctx, slog.LevelInfo, "transfer ended", peerAttr(e.Addr), nameAttr(e.Offer), slog.Int64("bytes", e.Report.Bytes), errAttr(e.Err))
		},
	}
}

func peerAttr(a netip.AddrPort) slog.Attr { return slog.String("peer", a.String()) }
func nameAttr(o ferry.Offer) slog.Attr    { return slog.String("name", o.Name) }
func errAttr(err error) slog.Attr         { return slog.Any("err", err) }
