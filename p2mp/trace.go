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

// A Trace is a set of hooks that observe transfers. Any of them may be nil. They are called
// by the goroutine that called Send, Receive or Serve, in the order of the events, and delay
// the transfer while they run. A Trace that several concurrent calls share must be safe for
// concurrent use.
type Trace struct {
	// At a sender:

	// Joined: a receiver answered, in the extended mode if Extended is set. Otherwise it did
	// not answer a HELLO, and is tried in the classic mode.
	Joined func(PacketEvent)
	// Sent: a DATA packet was sent to a receiver.
	Sent func(PacketEvent)
	// Timeout: a receiver did not acknowledge chunk Seq in time; the chunk is retransmitted
	// to it next. In the extended mode: it did not answer a poll, and Seq is the first chunk
	// that it lacks.
	Timeout func(PacketEvent)
	// SetAside: a receiver left several polls unanswered. It is only polled until it answers.
	SetAside func(PacketEvent)
	// Stalled: nothing that is sent arrives any more, although polls are answered. No data
	// is sent except for a probe now and then. It is called again when the reason is known.
	Stalled func(Stall)
	// Acked: a receiver acknowledged chunk Seq for the first time, in the extended mode
	// together with all chunks before it. It now has Total bytes.
	Acked func(PacketEvent)
	// Dropped: a receiver was given up. Err is a *PeerError.
	Dropped func(PacketEvent)

	// At a receiver:

	// Accepted: a transfer began.
	Accepted func(TransferEvent)
	// Received: a DATA packet arrived.
	Received func(PacketEvent)
	// PacketLoss: chunk Seq was dropped on receipt. A receiver does not know of packets that
	// it did not receive. This hook is called only through [Trace.Lost], by a program that
	// drops packets on purpose.
	PacketLoss func(PacketEvent)
	// Finished: a transfer ended. Err is nil if the file is whole.
	Finished func(TransferEvent)

	// At both:

	// WriteFailed: a packet could not be sent, for the reason Err. It counts as lost.
	WriteFailed func(PacketEvent)
	// Ignored: a packet was ignored. Err is ErrCategory, ErrSequence, ErrLength, ErrSession,
	// an error of package ferry, or says that the packet is malformed. At a receiver an
	// error that wraps [ferry.ErrBusy] and an error of the system is a shortage of this
	// host, because of which an offer was not accepted.
	Ignored func(PacketEvent)
	// SmallBuffer: the conn's receive buffer has got bytes and should have want bytes, and
	// the system does not let it grow (on Linux: net.core.rmem_max). More packets are lost
	// in the socket if the process is delayed.
	SmallBuffer func(got, want int)
}

// A PacketEvent is about one packet, or one receiver. Which fields are set depends on the
// hook.
type PacketEvent struct {
	// Addr is the other side.
	Addr netip.AddrPort
	// Seq is the number of a chunk.
	Seq uint32
	// Length is the payload of a DATA packet in bytes.
	Length int
	// Again is set if the packet repeats an earlier one.
	Again bool
	// Total is how many bytes of the file are acknowledged.
	Total int64
	// RTT is the measured round trip, 0 if it could not be measured.
	RTT time.Duration
	// Extended is set if the receiver speaks the extended mode.
	Extended bool
	Err      error
}

// A TransferEvent is about a transfer that arrives.
type TransferEvent struct {
	// Addr is the sender.
	Addr  netip.AddrPort
	Offer ferry.Offer
	// Report is what happened. Only Finished has it.
	Report Report
	Err    error
}

// A Stall is what is known when nothing that is sent arrives any more.
type Stall struct {
	Addr netip.AddrPort // the receiver, or the group
	// Length is the length of the packets that do not arrive, and Fits the length of packets
	// that do. Both are 0 if the length is not the reason.
	Length, Fits int
}

// smallBuffer reports a buffer that is small; 0 means that the size is not known.
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
	// The checksum of a chunk can be verified only with its session.
	if isData(packet) {
		t.PacketLoss(PacketEvent{Addr: from, Seq: binary.BigEndian.Uint32(packet)})
	}
}

// PrintTrace returns a Trace that prints to w the lines of the P2MP-FTP report:
// "Timeout, sequence number = N" at the sender ("Client", point 6) and "Packet loss,
// sequence number = N" at the receiver ("Server", point 6). Errors of w are ignored.
func PrintTrace(w io.Writer) *Trace {
	return &Trace{
		Timeout: func(e PacketEvent) {
			fmt.Fprintf(w, "Timeout, sequence number = %d\n", e.Seq)
		},
		PacketLoss: func(e PacketEvent) {
			fmt.Fprintf(w, "Packet loss, sequence number = %d\n", e.Seq)
		},
	}
}

// LevelPacket is the level at which [LogTrace] logs each packet: below slog.LevelDebug, at
// which it logs losses and ignored packets. Events that happen once for each transfer or
// receiver are logged at slog.LevelInfo.
const LevelPacket = slog.LevelDebug - 4

// LogTrace returns a Trace that logs every event to l.
func LogTrace(l *slog.Logger) *Trace {
	packet := func(level slog.Level, msg string, attrs func(PacketEvent) []slog.Attr) func(PacketEvent) {
		return func(e PacketEvent) {
			l.LogAttrs(context.Background(), level, msg, append([]slog.Attr{peerAttr(e.Addr)}, attrs(e)...)...)
		}
	}
	transfer := func(msg string, attrs func(TransferEvent) []slog.Attr) func(TransferEvent) {
		return func(e TransferEvent) {
			l.LogAttrs(context.Background(), slog.LevelInfo, msg, append([]slog.Attr{peerAttr(e.Addr)}, attrs(e)...)...)
		}
	}
	chunk := func(e PacketEvent) []slog.Attr {
		return []slog.Attr{seqAttr(e), slog.Int("length", e.Length), slog.Bool("again", e.Again)}
	}
	seq := func(e PacketEvent) []slog.Attr { return []slog.Attr{seqAttr(e)} }
	failure := func(e PacketEvent) []slog.Attr { return []slog.Attr{slog.Any("err", e.Err)} }
	return &Trace{
		Joined: packet(slog.LevelInfo, "receiver joined", func(e PacketEvent) []slog.Attr {
			return []slog.Attr{slog.Bool("extended", e.Extended)}
		}),
		Sent:     packet(LevelPacket, "sent", chunk),
		Timeout:  packet(slog.LevelDebug, "timeout", seq),
		SetAside: packet(slog.LevelInfo, "receiver set aside", func(PacketEvent) []slog.Attr { return nil }),
		Stalled: func(s Stall) {
			l.LogAttrs(context.Background(), slog.LevelInfo, "nothing arrives", peerAttr(s.Addr), slog.Int("length", s.Length), slog.Int("fits", s.Fits))
		},
		Acked: packet(LevelPacket, "acknowledged", func(e PacketEvent) []slog.Attr {
			return []slog.Attr{seqAttr(e), slog.Int64("total", e.Total), slog.Duration("rtt", e.RTT)}
		}),
		Dropped:    packet(slog.LevelWarn, "receiver dropped", failure),
		Accepted:   transfer("transfer began", func(TransferEvent) []slog.Attr { return nil }),
		Received:   packet(LevelPacket, "received", chunk),
		PacketLoss: packet(slog.LevelDebug, "packet loss", seq),
		Finished: transfer("transfer ended", func(e TransferEvent) []slog.Attr {
			return []slog.Attr{slog.Int64("bytes", e.Report.Bytes), slog.Any("err", e.Err)}
		}),
		WriteFailed: packet(slog.LevelDebug, "write failed", failure),
		Ignored:     packet(slog.LevelDebug, "packet ignored", failure),
		SmallBuffer: func(got, want int) {
			l.LogAttrs(context.Background(), slog.LevelWarn, "small receive buffer", slog.Int("got", got), slog.Int("want", want))
		},
	}
}

func peerAttr(a netip.AddrPort) slog.Attr { return slog.String("peer", a.String()) }
func seqAttr(e PacketEvent) slog.Attr     { return slog.Uint64("seq", uint64(e.Seq)) }
