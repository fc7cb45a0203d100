package octoput

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/ferrygo/ferry"
)

// Errors of packets; see [ParsePacket] and [Trace].
var (
	// ErrType: an unknown type, or one that only this side sends.
	ErrType = errors.New("octoput: unknown type of packet")
	// ErrFlag: an octoleg with no bit or several, or flags where there are none.
	ErrFlag = errors.New("octoput: wrong flags")
	// ErrBlock: an octoblock that this packet cannot have: one that the file does not
	// have, one whose turn has not come, or 0.
	ErrBlock = errors.New("octoput: octoblock out of place")
	// ErrLength: a payload that is not as long as it must be. The plan says how
	// long an octoleg is.
	ErrLength = errors.New("octoput: wrong length")
	// ErrSize: a size that no file has, or one that contradicts the size that the same
	// session had before.
	ErrSize = errors.New("octoput: wrong size")
	// ErrSession: a session of 0, or an unknown one.
	ErrSession = errors.New("octoput: unknown session")
)

// Errors of package ferry, as they are returned by a call.
var (
	errBusy   = fmt.Errorf("octoput: %w", ferry.ErrBusy)
	errDigest = fmt.Errorf("octoput: %w", ferry.ErrDigest)
)

// A PeerError says how far a transfer came that the other side did not finish.
type PeerError struct {
	Addr netip.AddrPort
	// Block is the first octoblock that the receiver is not known to have in full: 0 if
	// not even the OPEN was answered, one more than the last if only the FIN was not.
	Block uint64
	// Silence is how long the other side was waited for; 0 if it spoke.
	Silence time.Duration
	// Err is ErrNoAnswer, ErrSilent or ErrUnconfirmed, or a *RemoteError, or several of
	// them joined, and with them the last error of writing to the peer if there was
	// one.
	Err error
}

// Error returns "octoput: ADDRESS: what happened".
func (e *PeerError) Error() string {
	s := fmt.Sprintf("octoput: %v: %s", e.Addr, e.what())
	var said *RemoteError
	if errors.As(e.Err, &said) {
		s += fmt.Sprintf(": %v", said.Code)
	}
	var w *writeError
	if errors.As(e.Err, &w) {
		s += fmt.Sprintf(" (%v)", w.err)
	}
	return s
}

func (e *PeerError) what() string {
	switch {
	case errors.Is(e.Err, ferry.ErrNoAnswer):
		return fmt.Sprintf("no answer in %v", e.Silence)
	case errors.Is(e.Err, ferry.ErrUnconfirmed):
		return "sent, not confirmed"
	case errors.Is(e.Err, ferry.ErrSilent):
		return fmt.Sprintf("silent for %v at octoblock %d", e.Silence, e.Block)
	case e.Block == 0:
		return "refused"
	}
	return fmt.Sprintf("ended at octoblock %d", e.Block)
}

// Unwrap returns Err.
func (e *PeerError) Unwrap() error { return e.Err }

// writeError marks the last local failure to send to a peer, which often
// explains its silence: no route, a firewall.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }
