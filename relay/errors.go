package relay

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("relay: server closed")

// Why a client of a Server ended; see [Trace].
var (
	// ErrFull: there were as many clients as there may be.
	ErrFull = errors.New("relay: full")
	// ErrTooLong: a message was longer than Server.MaxMessage.
	ErrTooLong = errors.New("relay: message too long")
	// ErrSlow: the client did not read, or not fast enough.
	ErrSlow = errors.New("relay: too slow")
	// ErrIdle: the client said nothing for longer than Server.IdleTimeout; or, of a Forwarder, nothing was copied
	// for HalfCloseTimeout.
	ErrIdle = errors.New("relay: silent too long")
	// ErrKicked: Server.Kick was called.
	ErrKicked = errors.New("relay: kicked")
)

// What is wrong with a packet of a Peer; see [ParsePacket] and [Trace].
var (
	ErrTruncated = errors.New("relay: packet shorter than its header")
	ErrMagic     = errors.New("relay: not a chat packet")
	ErrKind      = errors.New("relay: unknown kind of packet")
	// ErrNumber: a number that this packet cannot have, such as an
	// acknowledgement of what was not sent.
	ErrNumber = errors.New("relay: number out of place")
	// ErrLength: a text longer than MaxText, or one in an acknowledgement.
	ErrLength = errors.New("relay: packet too long")
	// ErrForeign: a packet from somebody other than the peer.
	ErrForeign = errors.New("relay: packet from a stranger")
)

// Why a chat ended before it was to.
var (
	// ErrNoAnswer: the other peer never answered.
	ErrNoAnswer = errors.New("relay: no answer")
	// ErrSilent: the other peer took part and then fell silent.
	ErrSilent = errors.New("relay: silent")
	// ErrUnconfirmed: the last message, exit, was sent and not acknowledged: the
	// other peer may well have it.
	ErrUnconfirmed = errors.New("relay: exit sent, not confirmed")
	// ErrServerGone: the server ended the connection.
	ErrServerGone = errors.New("relay: the server closed the connection")
)

// A PeerError says that the other peer did not acknowledge a message.
type PeerError struct {
	Peer netip.AddrPort
	// Number and Text are those of the message, Silence how long it was sent again.
	Number  uint32
	Text    string
	Silence time.Duration
	// Err is ErrNoAnswer, ErrSilent or ErrUnconfirmed.
	Err error
}

// Error returns "relay: PEER: what happened".
func (e *PeerError) Error() string {
	switch {
	case errors.Is(e.Err, ErrNoAnswer):
		return fmt.Sprintf("relay: %v: no answer in %v to message %d, %q", e.Peer, e.Silence, e.Number, e.Text)
	case errors.Is(e.Err, ErrUnconfirmed):
		return fmt.Sprintf("relay: %v: exit sent, not confirmed in %v", e.Peer, e.Silence)
	}
	return fmt.Sprintf("relay: %v: silent for %v, message %d, %q, is not acknowledged", e.Peer, e.Silence, e.Number, e.Text)
}

// Unwrap returns Err.
func (e *PeerError) Unwrap() error { return e.Err }

// An UpstreamError says that a Forwarder could not reach the host that it forwards to.
type UpstreamError struct {
	To  string
	Err error
}

// Error returns "relay: cannot reach TO: why".
func (e *UpstreamError) Error() string { return fmt.Sprintf("relay: cannot reach %s: %v", e.To, e.Err) }

// Unwrap returns Err.
func (e *UpstreamError) Unwrap() error { return e.Err }
