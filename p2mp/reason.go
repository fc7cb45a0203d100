package p2mp

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/ferrygo/ferry"
)

// A Reason says in an ABORT why a session ended. Reasons are all that one side tells
// the other of its troubles.
type Reason uint16

// The reasons.
const (
	ReasonRefused     Reason = 1 + iota // the receiver does not want the file
	ReasonUnknown                       // the receiver knows of no such session: it was started again
	ReasonMalformed                     // the HELLO contradicts itself
	ReasonVersion                       // another version of the protocol
	ReasonUnsupported                   // an unknown capability, kind of digest or MSS
	ReasonGroup                         // the group address is none
	ReasonName                          // no name for a file of the receiver
	ReasonExists                        // the receiver has a file of that name, or is receiving one
	ReasonTooLarge                      // the file is larger than the receiver takes
	ReasonBusy                          // the receiver has too many transfers under way
	ReasonStorage                       // the receiver could not write the file
	ReasonDigest                        // what arrived is not what was sent
	ReasonSource                        // the sender could not read the file
	ReasonCanceled                      // the sender, or the receiver, was told to stop
	ReasonGivenUp                       // the receiver was silent for too long
)

var reasonTexts = [...]string{
	ReasonRefused:     "refused",
	ReasonUnknown:     "restarted: knows nothing of the transfer",
	ReasonMalformed:   "malformed offer",
	ReasonVersion:     "other version of the protocol",
	ReasonUnsupported: "unsupported offer",
	ReasonGroup:       "no multicast group",
	ReasonName:        "refused the name",
	ReasonExists:      "has, or is receiving, a file of that name",
	ReasonTooLarge:    "file too large",
	ReasonBusy:        "too many transfers",
	ReasonStorage:     "could not keep the file",
	ReasonDigest:      "received another file than was sent",
	ReasonSource:      "the sender could not read the file",
	ReasonCanceled:    "canceled",
	ReasonGivenUp:     "given up",
}

// String returns a few words.
func (r Reason) String() string {
	if int(r) < len(reasonTexts) && reasonTexts[r] != "" {
		return reasonTexts[r]
	}
	return fmt.Sprintf("reason %d", uint16(r))
}

// An AbortError is what the other side said when it ended a transfer. errors.Is finds
// ErrRestarted, ErrDigest, ErrBusy, fs.ErrExist, fs.ErrInvalid (for the name) and
// fs.ErrPermission (refused) in it, each for its reason.
type AbortError struct{ Reason Reason }

// Error returns the reason's text.
func (e *AbortError) Error() string { return "p2mp: " + e.Reason.String() }

// Is maps the reason onto the errors that people know.
func (e *AbortError) Is(target error) bool {
	for _, m := range reasonErrors {
		if m.reason == e.Reason && m.err == target {
			return true
		}
	}
	return false
}

var reasonErrors = [...]struct {
	reason Reason
	err    error
}{
	{ReasonUnknown, ferry.ErrRestarted},
	{ReasonDigest, ferry.ErrDigest},
	{ReasonBusy, ferry.ErrBusy},
	{ReasonTooLarge, ferry.ErrTooLarge},
	{ReasonExists, fs.ErrExist},
	{ReasonName, fs.ErrInvalid},
	{ReasonRefused, fs.ErrPermission},
}

// refusal is the reason that a Handler's error is told by. The error itself, which may
// hold a path, stays here. What the system says, but for what means something else, is
// trouble with keeping the file: a full disk, too many open files.
func refusal(err error) Reason {
	if abort, ok := errors.AsType[*AbortError](err); ok {
		return abort.Reason
	}
	for _, m := range reasonErrors {
		if errors.Is(err, m.err) {
			return m.reason
		}
	}
	if _, system := errors.AsType[syscall.Errno](err); system || errors.Is(err, ferry.ErrDiskFull) {
		return ReasonStorage
	}
	return ReasonRefused
}

// trouble is the reason that a Sink's error is told by: who has accepted an offer does
// not refuse it.
func trouble(err error) Reason {
	if r := refusal(err); r != ReasonRefused {
		return r
	}
	return ReasonStorage
}
