package p2mp

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
)

// A Trace is a set of hooks that observe transfers. Any of them may be nil. They are
// called by the goroutine that called Send, Receive or Serve, in the order of events,
// and hold up the transfer while they run. A Trace that several concurrent calls share
// must be safe for that.
type Trace struct {
	// Sender.

	// Joined: a receiver answered, as one of the extended mode; or it did not answer a
	// HELLO, and will be tried in the classic mode.
	Joined func(from netip.AddrPort, extended bool)
	// Sent: a DATA packet with length bytes of payload left for a receiver; again says
	// that it repeats an earlier one.
	Sent func(to netip.AddrPort, seq uint32, length int, again bool)
	// Timeout: a receiver did not acknowledge seq in time; the chunk is sent to it
	// again next. In the extended mode: it did not answer a poll, and seq is the first
	// chunk that it lacks.
	Timeout func(to netip.AddrPort, seq uint32)
	// SetAside: a receiver left several polls unanswered. It is only polled until it
	// answers.
	SetAside func(to netip.AddrPort)
	// Stalled: nothing of what is sent arrives any more, though polls are answered. The data
	// stop, but for a probe now and then. It is called again when more is known of the reason.
	Stalled func(Stall)
	// Acked: a receiver acknowledged seq (and, in the extended mode, all before it) for
	// the first time and now has total bytes. rtt is the measured round trip, 0 if it
	// could not be measured.
	Acked func(from netip.AddrPort, seq uint32, total int64, rtt time.Duration)
	// Dropped: a receiver was given up; err is a *PeerError.
	Dropped func(to netip.AddrPort, err error)
	// WriteFailed: a packet could not leave this host. It counts as lost.
	WriteFailed func(to netip.AddrPort, err error)

	// Receiver.

	// Accepted: a transfer began.
	Accepted func(ferry.Offer)
	// Received: a chunk with length bytes of payload arrived, or, if again, arrived
	// once more.
	Received func(from netip.AddrPort, seq uint32, length int, again bool)
	// PacketLoss: chunk seq was dropped on receipt. A receiver cannot know of packets
	// that it did not receive, so this is called through [Trace.Lost] alone, by a
	// program that loses packets on purpose.
	PacketLoss func(from netip.AddrPort, seq uint32)
	// Finished: a transfer ended, with a nil error when the file is whole.
	Finished func(ferry.Offer, Report, error)

	// Both.

	// SmallBuffer: the conn's receive buffer is smaller than it should be, and the system
	// does not let it grow (on Linux: net.core.rmem_max), in bytes. All works, but more
	// packets are lost in the socket when the process is held up.
	SmallBuffer func(got, want int)
	// Bad: a packet was ignored. err is ErrTruncated, ErrChecksum, ErrCategory,
	// ErrSequence, ErrLength, ErrSession, ErrForeign or ErrBusy, or says that a body is
	// malformed.
	Bad func(from netip.AddrPort, err error)
}

// A Stall is what is known when nothing of what is sent arrives any more.
type Stall struct {
	Addr netip.AddrPort // the receiver, or the group
	// Length is how long the packets are of which none arrives, and Fits how long those are
	// that do; 0 if the length is not the reason.
	Length, Fits int
}

// smallBuffer says that a buffer is small, if it is; 0 is not known.
func (t *Trace) smallBuffer(got int) {
	if got > 0 && got < socketBuffer && t.SmallBuffer != nil {
		t.SmallBuffer(got, socketBuffer)
	}
}

// Lost tells the trace of a packet that a simulated network, such as package lossy's,
// dropped on its way to a receiver. PacketLoss is called if it was a chunk. A nil Trace
// ignores it.
func (t *Trace) Lost(from netip.AddrPort, packet []byte) {
	if t == nil || t.PacketLoss == nil {
		return
	}
	// Only its session knows the checksum of a chunk.
	if len(packet) >= headerLen && Category(binary.BigEndian.Uint16(packet[6:])) == CategoryData {
		t.PacketLoss(from, binary.BigEndian.Uint32(packet))
	}
}

// PrintTrace returns a Trace that prints to w the lines of the P2MP-FTP report:
// "Timeout, sequence number = N" at the sender ("Client", point 6) and "Packet loss,
// sequence number = N" at the receiver ("Server", point 6). Errors of w are ignored.
func PrintTrace(w io.Writer) *Trace {
	return &Trace{
		Timeout: func(_ netip.AddrPort, seq uint32) {
			fmt.Fprintf(w, "Timeout, sequence number = %d\n", seq)
		},
		PacketLoss: func(_ netip.AddrPort, seq uint32) {
			fmt.Fprintf(w, "Packet loss, sequence number = %d\n", seq)
		},
	}
}

// LevelPacket is the level at which [LogTrace] logs what happens for every packet:
// below slog.LevelDebug, at which it logs losses and bad packets. What happens once per
// transfer or receiver is logged at slog.LevelInfo.
const LevelPacket = slog.LevelDebug - 4

// LogTrace returns a Trace that logs every event to l.
func LogTrace(l *slog.Logger) *Trace {
	ctx := context.Background()
	return &Trace{
		Sent: func(to netip.AddrPort, seq uint32, length int, again bool) {
			l.LogAttrs(ctx, LevelPacket, "sent", peerAttr(to), seqAttr(seq), slog.Int("length", length), slog.Bool("again", again))
		},
		Timeout: func(to netip.AddrPort, seq uint32) {
			l.LogAttrs(ctx, slog.LevelDebug, "timeout", peerAttr(to), seqAttr(seq))
		},
		Joined: func(from netip.AddrPort, extended bool) {
			l.LogAttrs(ctx, slog.LevelInfo, "receiver joined", peerAttr(from), slog.Bool("extended", extended))
		},
		SetAside: func(to netip.AddrPort) {
			l.LogAttrs(ctx, slog.LevelInfo, "receiver set aside", peerAttr(to))
		},
		Stalled: func(s Stall) {
			l.LogAttrs(ctx, slog.LevelInfo, "nothing arrives", peerAttr(s.Addr), slog.Int("length", s.Length), slog.Int("fits", s.Fits))
		},
		Acked: func(from netip.AddrPort, seq uint32, total int64, rtt time.Duration) {
			l.LogAttrs(ctx, LevelPacket, "acknowledged", peerAttr(from), seqAttr(seq), slog.Int64("total", total), slog.Duration("rtt", rtt))
		},
		Dropped: func(to netip.AddrPort, err error) {
			l.LogAttrs(ctx, slog.LevelWarn, "receiver dropped", peerAttr(to), errAttr(err))
		},
		WriteFailed: func(to netip.AddrPort, err error) {
			l.LogAttrs(ctx, slog.LevelDebug, "write failed", peerAttr(to), errAttr(err))
		},
		Accepted: func(o ferry.Offer) {
			l.LogAttrs(ctx, slog.LevelInfo, "transfer began", peerAttr(o.Addr))
		},
		Received: func(from netip.AddrPort, seq uint32, length int, again bool) {
			l.LogAttrs(ctx, LevelPacket, "received", peerAttr(from), seqAttr(seq), slog.Int("length", length), slog.Bool("again", again))
		},
		PacketLoss: func(from netip.AddrPort, seq uint32) {
			l.LogAttrs(ctx, slog.LevelDebug, "packet loss", peerAttr(from), seqAttr(seq))
		},
		Finished: func(o ferry.Offer, r Report, err error) {
			l.LogAttrs(ctx, slog.LevelInfo, "transfer ended", peerAttr(o.Addr), slog.Int64("bytes", r.Bytes), errAttr(err))
		},
		SmallBuffer: func(got, want int) {
			l.LogAttrs(ctx, slog.LevelWarn, "small receive buffer", slog.Int("got", got), slog.Int("want", want))
		},
		Bad: func(from netip.AddrPort, err error) {
			l.LogAttrs(ctx, slog.LevelDebug, "bad packet", peerAttr(from), errAttr(err))
		},
	}
}

func peerAttr(a netip.AddrPort) slog.Attr { return slog.String("peer", a.String()) }
func seqAttr(seq uint32) slog.Attr        { return slog.Uint64("seq", uint64(seq)) }
func errAttr(err error) slog.Attr         { return slog.Any("err", err) }
