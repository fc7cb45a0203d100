package tftp

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/ferrygo/ferry"
)

// A Code is the error code of an ERROR packet.
type Code uint16

// The codes of RFC 1350, "Appendix", and RFC 2347.
const (
	CodeUndefined  Code = 0 // see the message
	CodeNotFound   Code = 1
	CodeAccess     Code = 2
	CodeDiskFull   Code = 3
	CodeIllegal    Code = 4 // illegal TFTP operation
	CodeUnknownID  Code = 5 // unknown transfer ID
	CodeExists     Code = 6
	CodeNoSuchUser Code = 7
	CodeOption     Code = 8 // a failure of option negotiation
)

// String returns the RFC's words for the code.
func (c Code) String() string {
	words := [...]string{
		"error", "file not found", "access violation", "disk full or allocation exceeded",
		"illegal TFTP operation", "unknown transfer ID", "file already exists", "no such user", "option refused",
	}
	if int(c) < len(words) {
		return words[c]
	}
	return fmt.Sprintf("error code %d", uint16(c))
}

// An Error is an ERROR packet. The other side sent it; or a [ferry.Opener], [ferry.Handler] or
// [ferry.Sink] returned it, to be sent to the other side.
//
// errors.Is finds fs.ErrNotExist in code 1, fs.ErrPermission in code 2,
// [ferry.ErrDiskFull] in code 3 and fs.ErrExist in code 6.
type Error struct {
	Code    Code
	Message string
}

// Error returns the code's words and the message.
func (e *Error) Error() string {
	if e.Message == "" || e.Message == e.Code.String() {
		return "tftp: the other side says: " + e.Code.String()
	}
	return fmt.Sprintf("tftp: the other side says: %v: %s", e.Code, printable(e.Message))
}

// printable quotes a text from the network if it holds control characters.
func printable(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return fmt.Sprintf("%q", s)
		}
	}
	return s
}

// Is maps codes to the errors of io/fs and package ferry.
func (e *Error) Is(target error) bool {
	switch e.Code {
	case CodeNotFound:
		return target == fs.ErrNotExist
	case CodeAccess:
		return target == fs.ErrPermission
	case CodeDiskFull:
		return target == ferry.ErrDiskFull
	case CodeExists:
		return target == fs.ErrExist
	}
	return false
}

// Errors of packets; see [ParsePacket] and [Trace].
var (
	ErrOpcode = errors.New("tftp: unknown opcode")
	// ErrLength: an ACK with bytes after its block number, or a block that is longer than
	// was agreed.
	ErrLength  = errors.New("tftp: packet too long")
	ErrOptions = errors.New("tftp: option without a value")
	// ErrBlock: an ACK of a block that was not sent, or a block outside the window.
	ErrBlock = errors.New("tftp: unexpected block number")
	// ErrUnexpected: a packet of a kind that the other side does not send, or not now.
	ErrUnexpected = errors.New("tftp: unexpected kind of packet")
)

// Errors of transfers.
var (
	// ErrMalformed: the other side sent a packet that cannot be decoded.
	ErrMalformed = errors.New("tftp: malformed packet")
	// ErrWidth: one side has block numbers of two bytes and the other of four (Wide).
	ErrWidth = errors.New("tftp: block numbers of the two sides have different widths")
	// ErrNegotiation: the server answered an option that was not asked for, or with a value
	// that is not allowed.
	ErrNegotiation = errors.New("tftp: invalid answer to options")
	// ErrReplaced: the client began another transfer from the same port.
	ErrReplaced = errors.New("tftp: the client began another transfer")
	// ErrEvicted: the server had no room, and the transfer was half-open or slow; see
	// [Server.MaxTransfers].
	ErrEvicted = errors.New("tftp: another client got the place")
	// ErrServerClosed is returned by Serve after Shutdown.
	ErrServerClosed = errors.New("tftp: server closed")
)

// A peerError is an error with the ERROR that is sent to the other side about it.
type peerError struct {
	code Code
	text string
	err  error
}

func (e *peerError) Error() string { return fmt.Sprintf("%v: %s", e.err, e.text) }
func (e *peerError) Unwrap() error { return e.err }

// errorPacket returns the ERROR that is sent to the other side about err. It has the kind of
// the error, and nothing about this machine.
func errorPacket(err error) Packet {
	code, text := CodeUndefined, "the transfer failed"
	var said *Error
	var caused *peerError
	switch {
	case errors.As(err, &caused):
		code, text = caused.code, caused.text
	case errors.As(err, &said):
		code, text = said.Code, said.Message
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		code = CodeNotFound
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrInvalid), errors.Is(err, syscall.ELOOP), isEscape(err):
		code = CodeAccess
	case errors.Is(err, fs.ErrExist):
		code = CodeExists
	case isDiskFull(err), errors.Is(err, ferry.ErrTooLarge):
		code = CodeDiskFull
	}
	if code != CodeUndefined && text == "the transfer failed" || text == "" {
		text = code.String()
	}
	return Packet{Op: ERROR, Code: code, Message: sendable(text)}
}

// isEscape reports whether err says that a name or a link leads out of an [os.Root]. The
// standard library has no error value for that.
func isEscape(err error) bool {
	pe, ok := errors.AsType[*fs.PathError](err)
	return ok && strings.Contains(pe.Err.Error(), "escapes from parent")
}

// sendable shortens a text for an ERROR, and removes zero bytes.
func sendable(text string) string {
	b := []byte(text)
	if len(b) > maxMessage {
		b = b[:maxMessage]
	}
	for i := range b {
		if b[i] == 0 {
			b[i] = ' '
		}
	}
	return string(b)
}

// maxMessage is the length of the longest message that is sent, in bytes.
const maxMessage = 128

// isShortage reports whether this host lacks a resource that it may have when the request is
// repeated.
func isShortage(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// isDiskFull reports whether err means that the disk, or a quota, is full.
func isDiskFull(err error) bool {
	if errors.Is(err, ferry.ErrDiskFull) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return true
	}
	var errno syscall.Errno
	// ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL.
	return runtime.GOOS == "windows" && errors.As(err, &errno) && (errno == 39 || errno == 112)
}
