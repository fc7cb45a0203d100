package octoput

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// DefaultLinger is how long a receiver lingers. The time between two FINs of a sender
// is at most a second.
const DefaultLinger = 2 * time.Second

// A Receiver receives files: [Receiver.Receive] and [Receiver.Serve] take files that are
// sent to it, and [Receiver.Get] fetches a file. The zero value is ready to use. One
// Receiver may run several calls at the same time, each on its own conn.
type Receiver struct {
	// JoinTimeout is how long Get waits for the server's first answer. 0 means
	// DefaultJoinTimeout.
	JoinTimeout time.Duration
	// GiveUp is how long a sender may send nothing new in mid-file: repetitions do not
	// count. 0 means DefaultGiveUp.
	GiveUp time.Duration
	// Linger is how long, after the last acknowledgement, a repeated FIN
	// is acknowledged again, because that acknowledgement may be lost. 0
	// means DefaultLinger; negative means not at all.
	Linger time.Duration
	// MaxTransfers bounds the transfers that Serve has under way at once, each of which
	// has an octoblock in memory, and the finished ones that it remembers, which have
	// none. Beyond it a new sender takes the place of one that has made no progress for a
	// second, or whose average rate is below an octoblock per second; otherwise it is told
	// that the receiver is busy. 0 means DefaultMaxTransfers.
	// Negative means no limit.
	MaxTransfers int
	// MaxPerAddress bounds the transfers of one IP address in the same way. 0 means a
	// quarter of MaxTransfers, or 16 if that is more. Negative means no limit.
	MaxPerAddress int
	// Transfers is how many transfers Serve completes before it lingers and returns
	// nil. 0 means that it goes on until its context ends. Failed transfers do not
	// count. Senders beyond that number are told that the receiver is busy.
	Transfers int
	// NoOffload uses one system call for each packet. Otherwise the system may join several
	// packets that arrive or leave together (Linux). On the wire that is the same, but a
	// filter in this host may take them for one packet. A program that reads conn afterwards
	// without ferry may find several late packets in one.
	NoOffload bool
	// Trace observes the transfers. Nil observes nothing.
	Trace *Trace
}

// Receive receives one file over conn, from the first sender that offers one, and
// writes it to w in order. It returns after the linger time. It waits for a sender
// until ctx ends.
//
// The bytes reach w as they arrive, before they are verified: when an error is
// returned, w may hold the beginning of a file, or a wrong one. Use [Receiver.Serve]
// with [ferry.SaveAs] or [ferry.Dir] for files that appear whole or not at all.
//
// conn stays the caller's, as with [Sender.Send]. Packets from other addresses are
// counted and ignored, except that another sender is told that the receiver is busy. The
// error wraps [ferry.ErrSilent] when the sender fell silent, a [*RemoteError] when it ended
// the transfer, [ferry.ErrDigest] when what arrived is not what it sent, ctx's cause when ctx
// ended before the file was whole (the sender is then told, once), and the error of w
// or conn when one of them failed. ctx's end cuts the linger time short and is then no
// error.
func (r *Receiver) Receive(ctx context.Context, conn net.PacketConn, w io.Writer) (Report, error) {
	return r.newRecvCall(ferry.To(w)).one(ctx, conn)
}

// Get asks the server at from, which runs [Sender.Serve], for the file name, and asks h
// where to put its bytes: [ferry.SaveAs], [ferry.Dir] or [ferry.To]. Get repeats the question
// until the server sends. It returns after the linger time.
//
// conn stays the caller's, as with [Sender.Send]. The error is that of
// [Receiver.Receive], or a [*PeerError] that wraps [ferry.ErrNoAnswer]; where there is no
// such file, fs.ErrNotExist is in it.
func (r *Receiver) Get(ctx context.Context, conn net.PacketConn, from netip.AddrPort, name string, h ferry.Handler) (Report, error) {
	from = datagram.Canonical(from)
	if !from.IsValid() || from.Addr().IsUnspecified() || from.Port() == 0 {
		return Report{}, fmt.Errorf("octoput: server %v is no address to send to", from)
	}
	if ctx.Err() != nil {
		return Report{}, fmt.Errorf("octoput: receiving: %w", context.Cause(ctx))
	}
	v := r.newRecvCall(h)
	if err := v.newQuestion(time.Now(), from, name, orDefault(r.JoinTimeout, DefaultJoinTimeout)); err != nil {
		return Report{}, err
	}
	return v.one(ctx, conn)
}

// Serve receives transfers over conn, any number at the same time, and asks h for each
// what to do with its bytes. It returns when ctx ends, with its cause, and aborts the
// transfers that are under way; or nil when [Receiver.Transfers] are complete; or when
// conn fails. What becomes of each transfer is told to its Sink and to Trace.Finished.
//
// conn stays the caller's, as with [Sender.Send].
func (r *Receiver) Serve(ctx context.Context, conn net.PacketConn, h ferry.Handler) error {
	v := r.newRecvCall(h)
	v.wanted = r.Transfers
	return v.serve(ctx, conn)
}
