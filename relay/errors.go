package relay

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
)

// ErrServerClosed is returned by Serve after Shutdown or Close.
var ErrServerClosed = errors.New("relay: server closed")

// Reasons why a client of a Server ended; see [Trace].
var (
	// ErrFull: the Server had MaxClients clients.
	ErrFull = errors.New("relay: full")
	// ErrTooLong: a message was longer than Server.MaxMessage.
	ErrTooLong = errors.New("relay: message too long")
	// ErrSlow: the client did not read, or read too slowly.
	ErrSlow = errors.New("relay: too slow")
	// ErrIdle: the client said nothing during Server.IdleTimeout. A Forwarder uses it for a connection on which
	// nothing was copied during HalfCloseTimeout.
	ErrIdle = errors.New("relay: silent too long")
	// ErrKicked: Server.Kick was called.
	ErrKicked = errors.New("relay: kicked")
)

// Errors of a packet, beside [ferry.ErrTruncated] and [ferry.ErrUnsolicited]; see [ParsePacket] and [Trace].
var (
	ErrMagic = errors.New("relay: not a chat packet")
	ErrKind  = errors.New("relay: unknown kind of packet")
	// ErrNumber: the packet cannot have this number; for example it acknowledges a message that was not sent.
	ErrNumber = errors.New("relay: unexpected number")
	// ErrLength: the text is longer than MaxText, or an acknowledgement has one.
	ErrLength = errors.New("relay: packet too long")
)

// ErrServerGone: the server closed the connection during a chat.
var ErrServerGone = errors.New("relay: the server closed the connection")

// A PeerError says that the other peer did not acknowledge a message.
type PeerError struct {
	Addr netip.AddrPort
	// Number and Text are those of the message. Elapsed is the time since it was sent first.
	Number  uint32
	Text    string
	Elapsed time.Duration
	// Err is [ferry.ErrNoAnswer], [ferry.ErrSilent], or [ferry.ErrUnconfirmed] if the message was exit.
	Err error
}

// Error returns "relay: ADDR: what happened", without the text of the message.
func (e *PeerError) Error() string {
	switch {
	case errors.Is(e.Err, ferry.ErrNoAnswer):
		return fmt.Sprintf("relay: %v: no answer in %v to message %d", e.Addr, e.Elapsed, e.Number)
	case errors.Is(e.Err, ferry.ErrUnconfirmed):
		return fmt.Sprintf("relay: %v: exit sent, not confirmed in %v", e.Addr, e.Elapsed)
	}
	return fmt.Sprintf("relay: %v: silent for %v, message %d is not acknowledged", e.Addr, e.Elapsed, e.Number)
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
