package p2mp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// The defaults of a Sender.
const (
	// DefaultMSS fits the Ethernet MTU over IPv4 and IPv6, most tunnels included.
	DefaultMSS         = 1400
	DefaultJoinTimeout = 5 * time.Second
	DefaultGiveUp      = 10 * time.Second
)

// Bounds of the window, in chunks and in bytes.
const (
	maxWindow   = 8192
	windowBytes = 8 << 20
)

// defaultWindow is a window of windowBytes, within bounds.
func defaultWindow(mss int) int { return max(16, min(maxWindow, windowBytes/mss)) }

// initialTimeout is the timer before the first measurement: the P2MP-FTP report,
// "Client", point 3.
const initialTimeout = 100 * time.Millisecond

// A Sender sends a file to any number of receivers at once. The zero value is ready to
// use. One Sender may run several transfers at the same time, each on a conn of its
// own.
type Sender struct {
	// MSS is the payload of a full chunk in bytes, 1 to MaxMSS. 0 means DefaultMSS. A
	// datagram is MSS+8 bytes long and, above what the path takes (1464 on Ethernet
	// with IPv4), is cut into fragments.
	MSS int
	// Window is how many chunks may be under way to a receiver before the first of them
	// is acknowledged, and how many are kept in memory of a Source that is read once. 0
	// means as many as fit into 8 MiB; 8192 is the most. Receivers have windows of
	// their own, and the smaller one counts.
	Window int
	// Rate bounds what is sent, all receivers together, in bits of datagrams per
	// second. 0 means that congestion control alone does.
	Rate float64
	// Classic sends to all receivers in lock-step, exactly as the P2MP-FTP report has
	// it. Otherwise that is done with those that do not answer as the extended mode
	// wants.
	Classic bool
	// Timeout fixes the retransmission timer; the P2MP-FTP report uses 0.1 s ("Client",
	// point 3). 0 means a timer for each receiver that starts at 0.1 s, follows its
	// measured round-trip time and doubles up to 1 s while nothing is heard from it
	// (RFC 6298).
	Timeout time.Duration
	// JoinTimeout is how long to wait for a receiver's first answer. 0 means
	// DefaultJoinTimeout. It and GiveUp mean nothing under the policy Wait.
	JoinTimeout time.Duration
	// GiveUp is how long a receiver that has answered may be silent; in lock-step, how
	// long it may take to acknowledge a chunk. 0 means DefaultGiveUp.
	GiveUp time.Duration
	// Policy says what happens then. The default is Drop.
	Policy Policy
	// Group is the address and port of a multicast group. Each chunk is then sent once, to
	// the group. Receivers answer by unicast. Each receiver must have joined the group and
	// have its conn at the group's port. Receivers that the group does not reach, that join
	// late, or that delay the others are served by unicast. Send itself joins no group. The
	// zero value means unicast to each receiver.
	Group netip.AddrPort
	// MinRate is the minimum rate of the group, in bits of datagrams per second. While the
	// group is slower, its slowest member is given up ([ErrSlow]) or, under the policy Wait,
	// served by unicast. 0 means no minimum.
	MinRate float64
	// NoOffload passes each packet to the system separately. Otherwise, on Linux, several
	// packets are passed in one piece, and the system splits it. That is several times as
	// fast, and the packets on the wire are the same. But a packet filter on this host may
	// see the piece as one packet.
	NoOffload bool
	// Trace observes the transfers. Nil observes nothing.
	Trace *Trace
}

// Send sends src to all receivers in to, over conn. It returns when each receiver has
// either confirmed the whole file (in lock-step: acknowledged the last chunk) or was given
// up.
//
// With a Group, to may be empty. Send then invites the group for JoinTimeout, and the
// receivers are those that answer. If there are none, the error is [ErrNobody]. Receivers
// may also join later if src can be read again.
//
// Send neither closes conn nor keeps it. It sets read deadlines and clears them before it
// returns. It discards packets that arrived before the call, and may raise the sizes of the
// socket's buffers. Nothing else may read from conn during the call. Packets from addresses
// that are not in to are counted and ignored, so a receiver must answer from the address
// that it is sent to.
//
// If receivers refused the file or were given up, the error is an [*IncompleteError] that
// names them; under the policy Fail it wraps one [*PeerError]. If ctx ended first, the error
// wraps its cause. If src or conn failed, it wraps their error. In both cases the receivers
// are sent an ABORT, except for classic receivers, which give up by their own timers. The
// Report always says how far the transfer went.
func (s *Sender) Send(ctx context.Context, conn net.PacketConn, to []netip.AddrPort, src ferry.Source) (Report, error) {
	t, err := s.newSending(to, src)
	if err != nil {
		return Report{}, err
	}
	return t.send(ctx, conn)
}

// check returns what is wrong with the options and arguments.
func (s *Sender) check(mss int, to []netip.AddrPort, src ferry.Source) error {
	switch {
	case mss < 1 || mss > MaxMSS:
		return fmt.Errorf("p2mp: MSS of %d bytes, want 1 to %d", mss, MaxMSS)
	case s.Window < 0 || s.Window > maxWindow:
		return fmt.Errorf("p2mp: window of %d chunks, want at most %d", s.Window, maxWindow)
	case s.Timeout < 0 || s.Timeout > 0 && s.Timeout < time.Millisecond:
		return fmt.Errorf("p2mp: timeout of %v, want a millisecond at least", s.Timeout)
	case s.JoinTimeout < 0 || s.GiveUp < 0:
		return errors.New("p2mp: negative time; the policy Wait waits for ever")
	case s.Policy < Drop || s.Policy > Wait:
		return fmt.Errorf("p2mp: %v is unknown", s.Policy)
	case !(s.Rate >= 0) || !(s.MinRate >= 0):
		return fmt.Errorf("p2mp: rate of %v bits per second, %v at least", s.Rate, s.MinRate)
	case s.Group.IsValid() && (!s.Group.Addr().IsMulticast() || s.Group.Port() == 0):
		return fmt.Errorf("p2mp: group %v is no multicast address and port", s.Group)
	case s.Group.IsValid() && s.Classic:
		return errors.New("p2mp: the classic mode knows no groups")
	case len(to) == 0 && !s.Group.IsValid():
		return errors.New("p2mp: no receivers")
	case src.R == nil:
		return errors.New("p2mp: no source")
	case len(src.Name) > maxName:
		return fmt.Errorf("p2mp: name of %d bytes, more than %d", len(src.Name), maxName)
	}
	seen := make(map[netip.AddrPort]bool, len(to))
	for _, addr := range to {
		addr = datagram.Canonical(addr)
		if !addr.IsValid() || addr.Addr().IsUnspecified() || addr.Port() == 0 {
			return fmt.Errorf("p2mp: receiver %v is no address to send to", addr)
		}
		if seen[addr] {
			return fmt.Errorf("p2mp: receiver %v is listed twice", addr)
		}
		seen[addr] = true
	}
	return checkSize(src.Size, mss)
}

// maxName is how long a file name may be.
const maxName = 255

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
