package octoput

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"syscall"

	"github.com/ferrygo/ferry"
)

// A Code is the payload of an ERR: why a transfer is over. It is all that the other side
// is told; nothing about the machine goes with it.
type Code uint8

// The codes.
const (
	CodeRefused  Code = iota + 1 // the receiver does not want the file, or the server does not give it
	CodeAbsent                   // there is no such file
	CodeExists                   // there is a file of that name already
	CodeName                     // the name is not one that a file may have
	CodeBusy                     // too many transfers at once, or too few resources such as file descriptors
	CodeUnknown                  // the session is not one that this side knows (any more)
	CodeDigest                   // what arrived does not have the digest of what was sent
	CodeFailed                   // the file could not be read, or not be kept
	CodeStopped                  // the other side stopped, for reasons of its own
	CodeTooLarge                 // the file is larger than the receiver accepts
)

// String says what the code means.
func (c Code) String() string {
	switch c {
	case CodeRefused:
		return "refused"
	case CodeAbsent:
		return "no such file"
	case CodeExists:
		return "there is such a file already"
	case CodeName:
		return "no name for a file"
	case CodeBusy:
		return "too many transfers"
	case CodeUnknown:
		return "unknown session"
	case CodeDigest:
		return "wrong digest"
	case CodeFailed:
		return "the file could not be read or kept"
	case CodeStopped:
		return "stopped"
	case CodeTooLarge:
		return "file too large"
	}
	return fmt.Sprintf("code %d", uint8(c))
}

// A RemoteError is what the other side said in an ERR.
type RemoteError struct {
	Addr netip.AddrPort
	Code Code
}

// Error returns "octoput: ADDRESS says: what the code means".
func (e *RemoteError) Error() string { return fmt.Sprintf("octoput: %v says: %v", e.Addr, e.Code) }

// Unwrap returns the error that the code stands for: fs.ErrPermission, fs.ErrNotExist,
// fs.ErrExist, fs.ErrInvalid, [ferry.ErrBusy], [ferry.ErrRestarted], [ferry.ErrDigest] or
// [ferry.ErrTooLarge]; nil for the other codes.
func (e *RemoteError) Unwrap() error {
	switch e.Code {
	case CodeRefused:
		return fs.ErrPermission
	case CodeAbsent:
		return fs.ErrNotExist
	case CodeExists:
		return fs.ErrExist
	case CodeName:
		return fs.ErrInvalid
	case CodeBusy:
		return ferry.ErrBusy
	case CodeUnknown:
		return ferry.ErrRestarted
	case CodeDigest:
		return ferry.ErrDigest
	case CodeTooLarge:
		return ferry.ErrTooLarge
	}
	return nil
}

// codeOf is the code that says as much of err as the other side may know;
// otherwise if that is nothing.
func codeOf(err error, otherwise Code) Code {
	switch {
	case errors.Is(err, fs.ErrExist):
		return CodeExists
	case errors.Is(err, fs.ErrNotExist):
		return CodeAbsent
	case errors.Is(err, fs.ErrInvalid):
		return CodeName
	case errors.Is(err, fs.ErrPermission):
		return CodeRefused
	case errors.Is(err, ferry.ErrBusy) || isShortage(err):
		return CodeBusy
	case errors.Is(err, ferry.ErrDigest):
		return CodeDigest
	case errors.Is(err, ferry.ErrTooLarge):
		return CodeTooLarge
	case errors.Is(err, ferry.ErrDiskFull):
		return CodeFailed
	}
	return otherwise
}

// isShortage reports whether this host lacks a resource that it may have when the OPEN is
// repeated.
func isShortage(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
