package p2mp

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/ferrygo/ferry"
)

// The defaults of a Receiver.
const (
	// DefaultReceiverGiveUp is longer than a sender's JoinTimeout and GiveUp: in the classic
	// mode a sender is silent to one receiver while it waits for another.
	DefaultReceiverGiveUp = 30 * time.Second
	DefaultLinger         = 2 * time.Second
	DefaultMaxTransfers   = 256
	DefaultMaxMemory      = 64 << 20
)

// A Receiver receives files. The zero value is ready to use. One Receiver may run several
// calls at the same time, each on a separate conn.
type Receiver struct {
	// GiveUp is how long a sender may be silent in mid-file. 0 means DefaultReceiverGiveUp,
	// negative no limit. In the classic mode a sender is silent to all receivers while it
	// waits for one, for as long as its own options say.
	GiveUp time.Duration
	// Linger is how long a call that would return goes on after its last answer to a sender:
	// the answer may be lost, and the sender then asks again. 0 means eight of the sender's
	// timers, as its FIN tells them, or 64 if chunks were lost, but at most DefaultLinger;
	// after a classic transfer, whose sender tells no timer, one second. Negative means no
	// linger.
	Linger time.Duration
	// Window is how many chunks of each transfer are kept in memory until the chunks before
	// them have arrived. 0 means as many as fit into 8 MiB, at most 8192.
	Window int
	// MaxMemory bounds the bytes that all transfers of a call keep in memory until the
	// chunks before them have arrived. Further chunks that arrive early are dropped, and
	// sent again. 0 means DefaultMaxMemory.
	MaxMemory int64
	// MaxTransfers bounds the transfers that Serve has at once, and the finished ones that it
	// remembers. When there are as many, a transfer that only began, or stands still, makes
	// room for another, and further senders are told that the receiver is busy. 0 means
	// DefaultMaxTransfers.
	MaxTransfers int
	// Transfers is how many transfers Serve completes before it lingers and returns nil. 0
	// means that it goes on until its context ends. Failed transfers do not count.
	Transfers int
	// NoClassic ignores senders of the classic mode. A classic transfer may begin, and end,
	// with two packets whose sender address is forged.
	NoClassic bool
	// NoOffload makes the system deliver each packet separately. Otherwise it may join packets
	// that arrive together (Linux). Only this call may read conn while it runs. A program that
	// reads it afterwards without ferry may find several late packets in one.
	NoOffload bool
	// Trace observes the transfers. Nil observes nothing.
	Trace *Trace
}

// Receive receives one file over conn, from the first sender that offers one or sends a
// chunk 1, and writes it to w in order. It returns after the linger time. It waits for a
// sender until ctx ends.
//
// The bytes are written to w as they arrive. If Receive returns an error, w may hold the
// beginning of a file. Use [Receiver.Serve] with [ferry.SaveAs] or [ferry.Dir] for files that
// appear whole or not at all.
//
// The caller closes conn, as with [Sender.Send]. Packets from other addresses are counted and
// ignored. Another sender of the extended mode is told that this receiver is busy, unless
// nothing but the offer of the first has arrived for a second. The error wraps
// [ferry.ErrSilent] if the sender stopped sending, [ferry.ErrRestarted] if it began another
// file, ctx's cause if ctx ended before the file was whole, or the error of w or conn. If ctx
// ends during the linger time, Receive returns at once and without an error.
func (r *Receiver) Receive(ctx context.Context, conn net.PacketConn, w io.Writer) (Report, error) {
	l := r.newLoop(ferry.To(w))
	l.single = true
	l.wanted, l.max = 1, 1
	err := l.run(ctx, conn)
	report := l.stray
	if l.lastReport != nil {
		report = *l.lastReport
		report.Unexpected += l.stray.Unexpected
		report.Unsolicited += l.stray.Unsolicited
	}
	return report, err
}

// Serve receives transfers over conn, any number at the same time, and asks h for each of them
// where its bytes go. It returns ctx's cause when ctx ends, after aborting the transfers under
// way; nil when [Receiver.Transfers] are complete; or the error of conn. The result of each
// transfer is reported to its Sink and to Trace.Finished.
//
// The caller closes conn, as with [Sender.Send].
func (r *Receiver) Serve(ctx context.Context, conn net.PacketConn, h ferry.Handler) error {
	l := r.newLoop(h)
	l.wanted = r.Transfers
	return l.run(ctx, conn)
}
