package p2mp

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/ferrygo/ferry"
)

// A Reason says in an ABORT why a session ended. It is all that one side tells the other of
// an error: the error itself may hold a path of this machine.
type Reason uint16

// The reasons.
const (
	ReasonRefused     Reason = 1 + iota // the receiver does not want the file
	ReasonUnknown                       // the session is unknown: the receiver was restarted
	ReasonMalformed                     // the HELLO contradicts itself
	ReasonVersion                       // another version of the protocol
	ReasonUnsupported                   // an unknown capability, kind of digest or MSS
	ReasonGroup                         // the group address is not a multicast address
	ReasonName                          // the receiver does not accept the name
	ReasonExists                        // the receiver has a file of that name, or one is arriving
	ReasonTooLarge                      // the file is larger than the receiver accepts
	ReasonBusy                          // the receiver has too many transfers, or lacks something for now
	ReasonStorage                       // the receiver could not write the file
	ReasonDigest                        // the file that arrived has another digest
	ReasonSource                        // the sender could not read the file
	ReasonCanceled                      // the call ended at the sender, or at the receiver
	ReasonGivenUp                       // the other side was silent for too long
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

// An AbortError is the reason that the other side gave when it ended a transfer. With
// errors.Is it is ferry.ErrRestarted, ferry.ErrDigest, ferry.ErrBusy, ferry.ErrTooLarge,
// fs.ErrExist, fs.ErrInvalid (the name) or fs.ErrPermission (refused), according to the
// reason.
type AbortError struct{ Reason Reason }

// Error returns the reason's text.
func (e *AbortError) Error() string { return "p2mp: " + e.Reason.String() }

// Is maps the reason to an error of package ferry or io/fs.
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

// refusal returns the reason that the sender is told for a Handler's error. Any other error of
// the system means that the file cannot be kept.
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

// trouble returns the reason that the sender is told for a Sink's error. An offer that was
// accepted is not refused any more.
func trouble(err error) Reason {
	if r := refusal(err); r != ReasonRefused {
		return r
	}
	return ReasonStorage
}
