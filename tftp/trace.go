package tftp

import (
	"context"
	"log/slog"
	"net/netip"
	"time"
)

// A Trace is a set of hooks that observe transfers. Any of them may be nil. The hooks of a
// transfer are called by the goroutine of the transfer, in the order of the events, and delay
// it while they run: for a client, that is the goroutine that called Get or Put. The Trace of
// a server, or one that several calls share, must be safe for concurrent use.
type Trace struct {
	// Accepted: the options of a transfer are agreed on, and the transfer begins. At a server
	// that is before the client has answered.
	Accepted func(TransferEvent)
	// Finished: a transfer ended, or a request was refused. Err is nil if the receiver has
	// the whole file. Lingering comes after it.
	Finished func(TransferEvent)

	// Sent: a DATA packet was sent.
	Sent func(PacketEvent)
	// Acked: an ACK arrived that acknowledges a block for the first time.
	Acked func(PacketEvent)
	// Received: a DATA packet arrived.
	Received func(PacketEvent)
	// Acknowledged: an ACK was sent.
	Acknowledged func(PacketEvent)

	// Ignored: a packet was ignored, or ended the transfer because it could not be decoded.
	// Err is the reason: a packet error of this package or of package ferry, ferry.ErrBusy,
	// or the reason why a request was refused.
	Ignored func(PacketEvent)
	// WriteFailed: a packet could not be sent, for the reason Err. It counts as lost.
	WriteFailed func(PacketEvent)
	// Shortage: a server lacks descriptors or memory, and ignores requests until there are
	// some again. It is called for the first of them, and at most once a minute.
	Shortage func(err error)
}

// A TransferEvent is about a transfer as a whole.
type TransferEvent struct {
	// Addr is the other side.
	Addr netip.AddrPort
	// Request is what the client asked for.
	Request *Request
	// Settings are the options in force. Only Accepted has them.
	Settings Settings
	// Report is what happened. Only Finished has it.
	Report Report
	Err    error
}

// A PacketEvent is about one packet. Which fields are set depends on the hook.
type PacketEvent struct {
	// Addr is the other side, or the sender of an ignored packet.
	Addr netip.AddrPort
	// Block is the number of the block, counted from 1 without rolling over.
	Block int64
	// Length is the payload of a DATA packet in bytes.
	Length int
	// Again is set if the packet repeats an earlier one.
	Again bool
	// Total is how many bytes of the file are acknowledged, or received without a gap.
	Total int64
	// RTT is the measured round trip, 0 if the ACK did not allow to measure it.
	RTT time.Duration
	Err error
}

// LevelPacket is the level at which [LogTrace] logs each packet, below slog.LevelDebug.
const LevelPacket = slog.LevelDebug - 4

// LogTrace returns a Trace that logs every event to l. Packets are logged at LevelPacket,
// ignored packets and failed writes at slog.LevelDebug, the beginning and the end of a
// transfer at slog.LevelInfo, and its failure at slog.LevelWarn.
func LogTrace(l *slog.Logger) *Trace {
	ctx := context.Background()
	fault := func(message string) func(PacketEvent) {
		return func(e PacketEvent) { l.LogAttrs(ctx, slog.LevelDebug, message, addrAttr(e.Addr), errAttr(e.Err)) }
	}
	return &Trace{
		Accepted: func(e TransferEvent) {
			l.LogAttrs(ctx, slog.LevelInfo, "transfer began", opAttr(e.Request), nameAttr(e.Request), addrAttr(e.Addr),
				slog.Int("blksize", e.Settings.BlockSize), slog.Int("windowsize", e.Settings.WindowSize), slog.Int64("size", e.Settings.Size))
		},
		Finished: func(e TransferEvent) {
			level := slog.LevelInfo
			if e.Err != nil {
				level = slog.LevelWarn
			}
			l.LogAttrs(ctx, level, "transfer ended", opAttr(e.Request), nameAttr(e.Request), addrAttr(e.Addr), slog.Int64("bytes", e.Report.Bytes),
				slog.Duration("elapsed", e.Report.Elapsed), slog.Bool("probe", e.Report.Probe), errAttr(e.Err))
		},
		Sent: func(e PacketEvent) {
			l.LogAttrs(ctx, LevelPacket, "DATA sent", addrAttr(e.Addr), blockAttr(e), slog.Int("length", e.Length), slog.Bool("again", e.Again))
		},
		Acked: func(e PacketEvent) {
			l.LogAttrs(ctx, LevelPacket, "ACK received", addrAttr(e.Addr), blockAttr(e), slog.Int64("total", e.Total), slog.Duration("rtt", e.RTT))
		},
		Received: func(e PacketEvent) {
			l.LogAttrs(ctx, LevelPacket, "DATA received", addrAttr(e.Addr), blockAttr(e),
				slog.Int("length", e.Length), slog.Bool("again", e.Again), slog.Int64("total", e.Total))
		},
		Acknowledged: func(e PacketEvent) {
			l.LogAttrs(ctx, LevelPacket, "ACK sent", addrAttr(e.Addr), blockAttr(e), slog.Bool("again", e.Again))
		},
		Ignored:     fault("packet ignored"),
		WriteFailed: fault("write failed"),
		Shortage: func(err error) {
			l.LogAttrs(ctx, slog.LevelWarn, "requests are ignored because the system refuses more", errAttr(err))
		},
	}
}

func opAttr(r *Request) slog.Attr         { return slog.String("op", r.Op.String()) }
func nameAttr(r *Request) slog.Attr       { return slog.String("name", r.Name) }
func addrAttr(a netip.AddrPort) slog.Attr { return slog.String("addr", a.String()) }
func blockAttr(e PacketEvent) slog.Attr   { return slog.Int64("block", e.Block) }
func errAttr(err error) slog.Attr         { return slog.Any("err", err) }
