package octoput

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// The defaults of a Sender.
const (
	DefaultJoinTimeout  = 5 * time.Second
	DefaultGiveUp       = 10 * time.Second
	DefaultMaxTransfers = 256
)

// A Sender sends files: [Sender.Send] sends one to a receiver, and [Sender.Serve] gives
// files to clients that ask for them. The zero value is ready to use. One Sender may run
// several calls at the same time, each on its own conn.
type Sender struct {
	// Timeout fixes the retransmission timer. 0 means a timer that starts at 0.1 s,
	// follows the measured round-trip time and doubles up to 1 s while nothing is heard
	// from the receiver (RFC 6298).
	Timeout time.Duration
	// JoinTimeout is how long to wait for the receiver's first answer. 0 means
	// DefaultJoinTimeout.
	JoinTimeout time.Duration
	// GiveUp is how long a receiver that has answered may take to acknowledge another
	// octoleg. 0 means DefaultGiveUp. At the end it has at least 30 s, to write the
	// file to its disk.
	GiveUp time.Duration
	// MaxTransfers bounds the transfers that Serve has under way at once. Each has an
	// octoblock in memory and a file open. Beyond it a receiver takes the place of one that
	// has not acknowledged the answer to its question for a second, has made no progress
	// for five seconds, or is slower than an octoblock per second after five seconds;
	// otherwise it is told that the server is busy. 0 means DefaultMaxTransfers.
	// Negative means no limit.
	MaxTransfers int
	// MaxPerAddress bounds the transfers of one IP address in the same way. 0 means a
	// quarter of MaxTransfers, or 16 if that is more. Negative means no limit.
	MaxPerAddress int
	// NoOffload uses one system call for each packet. Otherwise the system may join several
	// packets that arrive or leave together (Linux). On the wire that is the same, but a
	// filter in this host may take them for one packet.
	NoOffload bool
	// Trace observes the transfers. Nil observes nothing.
	Trace *Trace
}

// Send sends src over conn to the receiver at to, and returns when that has confirmed
// that it has the whole file.
//
// conn stays the caller's: Send neither closes it nor keeps it. It sets read
// deadlines, and clears them before it returns. Nothing else may read from conn
// meanwhile. Packets from other addresses are counted and ignored.
//
// The error is a [*PeerError] when the receiver did not answer, fell silent or ended
// the transfer: it wraps [ferry.ErrNoAnswer], [ferry.ErrSilent] or a [*RemoteError], and
// [ferry.ErrUnconfirmed] where everything was sent and only the receiver's last word is
// missing. It wraps ctx's cause when ctx ended first, and the error of src or conn when
// one of them failed; the receiver is then told, once, that the transfer is over. The
// Report is filled as far as the transfer went in every case.
func (s *Sender) Send(ctx context.Context, conn net.PacketConn, to netip.AddrPort, src ferry.Source) (Report, error) {
	to = datagram.Canonical(to)
	if !to.IsValid() || to.Addr().IsUnspecified() || to.Port() == 0 {
		return Report{}, fmt.Errorf("octoput: receiver %v is no address to send to", to)
	}
	if err := checkSource(&src); err != nil {
		return Report{}, err
	}
	v := s.newSendCall()
	now := time.Now()
	d := v.newSendTransfer(now, to, src)
	v.only = d
	if ctx.Err() != nil {
		return d.report, d.at(context.Cause(ctx))
	}
	err := v.run(ctx, conn, now)
	d.report.Unexpected += v.bad
	d.report.Unsolicited += v.foreign
	return d.report, err
}

// Serve gives files to receivers that ask for them by [Receiver.Get], any number at the
// same time, until ctx ends or conn fails; it returns ctx's cause, or conn's error.
// Trace.Finished tells how each transfer ended.
//
// files opens them, for example a [ferry.Dir] or [ferry.FS]. The size of a file must be
// known. Files are opened and read in Serve's own goroutine, so that must not block.
//
// conn stays the caller's, as with [Sender.Send]. To an address that has not shown that
// it asked, Serve sends one packet for each that it gets, none longer than that.
func (s *Sender) Serve(ctx context.Context, conn net.PacketConn, files ferry.Opener) error {
	v := s.newSendCall()
	v.files = files
	return v.run(ctx, conn, time.Now())
}

// newSession returns a random session, which is not 0.
func newSession() uint32 {
	var b [4]byte
	for {
		// Read never fails: crypto/rand ends the program instead.
		_, _ = rand.Read(b[:])
		if n := binary.BigEndian.Uint32(b[:]); n != 0 {
			return n
		}
	}
}

func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}
