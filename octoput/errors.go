package octoput

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// What is wrong with a packet; see [ParsePacket] and [Trace].
var (
	ErrTruncated = errors.New("octoput: packet shorter than its header")
	ErrChecksum  = errors.New("octoput: wrong checksum")
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
	// ErrSize: a size that no file has; one that contradicts the size that the
	// same session had before; or, at a sender, a source that is not as long as it was
	// said to be.
	ErrSize = errors.New("octoput: wrong size")
	// ErrSession: a session of 0, or one that nobody here has.
	ErrSession = errors.New("octoput: unknown session")
	// ErrForeign: a packet from an address that takes no part in the transfer.
	ErrForeign = errors.New("octoput: packet from a stranger")
)

// Why a transfer failed.
var (
	// ErrNoAnswer: the other side never answered.
	ErrNoAnswer = errors.New("octoput: no answer")
	// ErrSilent: the other side took part and then fell silent.
	ErrSilent = errors.New("octoput: silent")
	// ErrUnconfirmed: every octoblock was acknowledged, the FIN was not, so the receiver
	// may well have the whole file.
	ErrUnconfirmed = errors.New("octoput: sent, not confirmed")
	// ErrRestarted: the receiver does not know the transfer any more.
	ErrRestarted = errors.New("octoput: the receiver started again")
	// ErrDigest: what was received does not have the SHA-256 of what was sent.
	ErrDigest = errors.New("octoput: wrong digest")
	// ErrBusy: the other side has as many transfers under way as it may.
	ErrBusy = errors.New("octoput: too many transfers")
)

// A PeerError says how far a transfer came that the other side did not finish.
type PeerError struct {
	Peer netip.AddrPort
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
	s := fmt.Sprintf("octoput: %v: %s", e.Peer, e.what())
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
	case errors.Is(e.Err, ErrNoAnswer):
		return fmt.Sprintf("no answer in %v", e.Silence)
	case errors.Is(e.Err, ErrUnconfirmed):
		return "sent, not confirmed"
	case errors.Is(e.Err, ErrSilent):
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
