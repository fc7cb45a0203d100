package directory

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
)

// Errors of datagrams that are ignored; see [Trace].
var (
	ErrMalformed = errors.New("directory: malformed datagram")
	// ErrUnexpected: a datagram that has no place where it arrived: an answer or an
	// acknowledgement of nothing, a fragment that is not the next, two requests mixed.
	ErrUnexpected = errors.New("directory: unexpected datagram")
	// ErrTooLong: a request or answer of more fragments or bytes than are allowed.
	ErrTooLong = errors.New("directory: too long")
)

// errNegative is the error for an option that must not be negative.
var errNegative = errors.New("directory: a negative option")

// A Code says why a directory refuses a request. The numbers are those of HTTP, of
// which the document shows one, "(404, 'file not found')" (CEN 502 project 2, part II,
// 3, test 4).
type Code int

// The codes.
const (
	CodeMalformed Code = 400 // it cannot be understood
	CodeForbidden Code = 403 // it is about another host's peer
	CodeNotFound  Code = 404 // nobody has the file
	CodeTooLong   Code = 413 // more files, or more bytes of names, than are allowed
	CodeFull      Code = 503 // the directory has no room for another peer
)

// String returns what the code says.
func (c Code) String() string {
	switch c {
	case CodeMalformed:
		return "malformed request"
	case CodeForbidden:
		return "not the peer's own address"
	case CodeNotFound:
		return "nobody has the file"
	case CodeTooLong:
		return "more files, or longer names, than the directory accepts"
	case CodeFull:
		return "directory full"
	}
	return fmt.Sprintf("code %d", int(c))
}

// A RefusedError is what a directory answers when it does not do as it is asked.
type RefusedError struct {
	Request Type
	Name    string // of a file, in a look-up
	Code    Code
}

// Error says what was refused, and why.
func (e *RefusedError) Error() string {
	if e.Name != "" {
		return fmt.Sprintf("directory: %v of %q: %v", e.Request, e.Name, e.Code)
	}
	return fmt.Sprintf("directory: %v: %v", e.Request, e.Code)
}

// Is says that CodeNotFound is an fs.ErrNotExist, CodeForbidden an fs.ErrPermission,
// and CodeMalformed an fs.ErrInvalid.
func (e *RefusedError) Is(target error) bool {
	switch e.Code {
	case CodeNotFound:
		return target == fs.ErrNotExist
	case CodeForbidden:
		return target == fs.ErrPermission
	case CodeMalformed:
		return target == fs.ErrInvalid
	}
	return false
}

// unmap returns an address as ferry shows it: an IPv4 address is never written as IPv6.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
