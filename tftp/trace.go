package tftp

import (
	"context"
	"log/slog"
	"net/netip"
	"time"
)

// A Trace is a set of hooks that observe transfers. Any of them may be nil. Those of a
// transfer are called by its goroutine, in the order of events, and hold it up while
// they run: a client's by the one that called Get or Put. A Trace of a server, or one
// that several concurrent calls share, must be safe for concurrent use.
type Trace struct {
	// Began: the options of a transfer with peer are settled; it is about to
	// begin. At a server that is before the client has answered.
	Began func(r *Request, peer netip.AddrPort, s Settings)
	// Finished: a transfer ended, or a request was refused, with a nil error
	// when the file is whole at the receiver's. Lingering comes after it.
	Finished func(r *Request, report Report, err error)

	// Sent: a DATA packet with length bytes of payload left; again says that it
	// repeats an earlier one.
	Sent func(to netip.AddrPort, block int64, length int, again bool)
	// Acked: an ACK brought something new. total is how many bytes are acknowledged
	// now. rtt is the measured round trip, negative if it could not be measured.
	Acked func(from netip.AddrPort, block, total int64, rtt time.Duration)
	// Received: a DATA packet with length bytes of payload arrived; again says
	// that it had arrived before. total is how many bytes are there now, without a gap.
	Received func(from netip.AddrPort, block int64, length int, again bool, total int64)
	// Acknowledged: an ACK left; again says that it repeats an earlier one.
	Acknowledged func(to netip.AddrPort, block int64, again bool)

	// Bad: a packet was ignored, or ended the transfer because it could not be read.
	// err is one of the first group of errors of this package, ErrBusy, or the reason
	// of a request that was refused.
	Bad func(from netip.AddrPort, err error)
	// Shortage: a server lacks descriptors or memory, and ignores requests until there are
	// some again. It is called for the first of them, and once a minute at most.
	Shortage func(err error)
	// WriteFailed: a packet could not leave this host. It counts as lost.
	WriteFailed func(to netip.AddrPort, err error)
}

// LevelPacket is the level at which [LogTrace] logs what happens for every packet:
// below slog.LevelDebug, at which it logs losses and bad packets. What happens once per
// transfer is logged at slog.LevelInfo, and its failure at slog.LevelWarn.
const LevelPacket = slog.LevelDebug - 4

// LogTrace returns a Trace that logs every event to l.
func LogTrace(l *slog.Logger) *Trace {
	ctx := context.Background()
	return &Trace{
		Began: func(r *Request, peer netip.AddrPort, s Settings) {
			l.LogAttrs(ctx, slog.LevelInfo, "transfer began", opAttr(r), nameAttr(r), peerAttr(peer),
				slog.Int("blksize", s.BlockSize), slog.Int("windowsize", s.WindowSize), slog.Int64("size", s.Size))
		},
		Finished: func(r *Request, report Report, err error) {
			level := slog.LevelInfo
			if err != nil {
				level = slog.LevelWarn
			}
			l.LogAttrs(ctx, level, "transfer ended", opAttr(r), nameAttr(r), peerAttr(report.Peer),
				slog.Int64("bytes", report.Bytes), slog.Duration("elapsed", report.Elapsed), slog.Bool("probe", report.Probe), errAttr(err))
		},
		Sent: func(to netip.AddrPort, block int64, length int, again bool) {
			l.LogAttrs(ctx, LevelPacket, "sent", peerAttr(to), blockAttr(block), slog.Int("length", length), slog.Bool("again", again))
		},
		Acked: func(from netip.AddrPort, block, total int64, rtt time.Duration) {
			l.LogAttrs(ctx, LevelPacket, "acknowledged", peerAttr(from), blockAttr(block),
				slog.Int64("total", total), slog.Duration("rtt", rtt))
		},
		Received: func(from netip.AddrPort, block int64, length int, again bool, total int64) {
			l.LogAttrs(ctx, LevelPacket, "received", peerAttr(from), blockAttr(block),
				slog.Int("length", length), slog.Bool("again", again), slog.Int64("total", total))
		},
		Acknowledged: func(to netip.AddrPort, block int64, again bool) {
			l.LogAttrs(ctx, LevelPacket, "answered", peerAttr(to), blockAttr(block), slog.Bool("again", again))
		},
		Bad: func(from netip.AddrPort, err error) {
			l.LogAttrs(ctx, slog.LevelDebug, "bad packet", peerAttr(from), errAttr(err))
		},
		Shortage: func(err error) {
			l.LogAttrs(ctx, slog.LevelWarn, "requests are ignored for want of resources", errAttr(err))
		},
		WriteFailed: func(to netip.AddrPort, err error) {
			l.LogAttrs(ctx, slog.LevelDebug, "write failed", peerAttr(to), errAttr(err))
		},
	}
}

func opAttr(r *Request) slog.Attr         { return slog.String("op", r.Op.String()) }
func nameAttr(r *Request) slog.Attr       { return slog.String("name", r.Name) }
func peerAttr(a netip.AddrPort) slog.Attr { return slog.String("peer", a.String()) }
func blockAttr(block int64) slog.Attr     { return slog.Int64("block", block) }
func errAttr(err error) slog.Attr         { return slog.Any("err", err) }
