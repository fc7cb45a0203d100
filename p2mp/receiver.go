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
	// DefaultReceiverGiveUp is longer than a sender's JoinTimeout and GiveUp: in
	// lock-step a sender is silent towards one receiver while it waits for another.
	DefaultReceiverGiveUp = 30 * time.Second
	DefaultLinger         = 2 * time.Second
	DefaultMaxTransfers   = 256
	DefaultMaxMemory      = 64 << 20
)

// A Receiver receives files. The zero value is ready to use. One Receiver may run
// several calls at the same time, each on a conn of its own.
type Receiver struct {
	// GiveUp is how long a sender may be silent in mid-file. 0 means
	// DefaultReceiverGiveUp, negative for ever. In the classic mode a sender is silent
	// to all while it waits for one, for as long as its own options say.
	GiveUp time.Duration
	// Linger is how long after the last answer to a sender that has finished a call
	// goes on that would return, because that answer may be lost, and asked for again.
	// 0 means eight of the sender's timers, as it tells them, or 64 where chunks were
	// lost, but DefaultLinger at the most, and that for a classic sender, which tells
	// nothing; negative means not at all.
	Linger time.Duration
	// Window is how many chunks are kept in memory, for each transfer, until those
	// before them have come. 0 means as many as fit into 8 MiB, 8192 at most.
	Window int
	// MaxTransfers bounds the transfers that Serve has under way at once, and the
	// finished ones that it remembers. Beyond it a new sender gets no answer. 0 means
	// DefaultMaxTransfers.
	MaxTransfers int
	// Transfers is how many transfers Serve completes before it lingers and returns
	// nil. 0 means that it goes on until its context ends. Failed transfers do not
	// count.
	Transfers int
	// MaxMemory bounds the bytes that all transfers of a call keep in memory until the
	// chunks before them have arrived. Further chunks that arrive early are dropped, and
	// sent again. 0 means DefaultMaxMemory.
	MaxMemory int64
	// NoClassic ignores senders of the classic mode. A classic transfer may begin, and
	// end, with a single packet whose sender's address is forged.
	NoClassic bool
	// NoOffload has the system hand over each packet by itself. Otherwise it may join
	// those that have come together (Linux): nobody else may read conn meanwhile, and
	// whoever reads it afterwards without ferry may find several packets that were late
	// in one.
	NoOffload bool
	// Trace observes the transfers. Nil observes nothing.
	Trace *Trace
}

// Receive receives one file over conn, from the first sender that offers one or sends a
// chunk 1, and writes it to w in order. It returns after the linger time. It waits for
// a sender until ctx ends, without a limit of its own.
//
// The bytes reach w as they arrive: when an error is returned, w may hold the beginning
// of a file. Use [Receiver.Serve] with [ferry.SaveAs] or [ferry.Dir] for files that appear whole or
// not at all.
//
// conn stays the caller's, as with [Sender.Send]. Packets from other addresses are
// counted and ignored; a sender of the extended mode that offers a file meanwhile is
// told that this receiver is busy. The error wraps [ferry.ErrSilent] when the sender fell
// silent, [ferry.ErrRestarted] when it began another file, ctx's cause when ctx ended before
// the file was whole, and the error of w or conn when one of them failed. ctx's end cuts
// the linger time short and is then no error.
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

// Serve receives transfers over conn, any number at the same time, and asks h for each
// what to do with its bytes. It returns when ctx ends, with its cause, and aborts the
// transfers that are under way; or nil when [Receiver.Transfers] are complete; or when
// conn fails. What becomes of each transfer is told to its Sink and to Trace.Finished.
//
// conn stays the caller's, as with [Sender.Send].
func (r *Receiver) Serve(ctx context.Context, conn net.PacketConn, h ferry.Handler) error {
	l := r.newLoop(h)
	l.wanted = r.Transfers
	return l.run(ctx, conn)
}
