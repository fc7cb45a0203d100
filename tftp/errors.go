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

// An Error is an ERROR packet: what the other side said, or, returned by a [ferry.Handler]
// or a [ferry.Sink], what it is to be told.
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

// printable keeps what the network sends from steering a terminal.
func printable(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return fmt.Sprintf("%q", s)
		}
	}
	return s
}

// Is maps codes onto the errors that people know.
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

// What is wrong with a packet; see [ParsePacket] and [Trace].
var (
	ErrOpcode = errors.New("tftp: unknown opcode")
	// ErrLength: an ACK with bytes behind its block number, or a block longer
	// than was agreed.
	ErrLength  = errors.New("tftp: packet longer than it can be")
	ErrOptions = errors.New("tftp: option without a value")
	// ErrBlock: a block number that this packet cannot have: an ACK of what was
	// not sent yet, or a block from outside the window.
	ErrBlock = errors.New("tftp: block number out of place")
	// ErrUnexpected: a packet of a kind that has no place here.
	ErrUnexpected = errors.New("tftp: packet of a kind that is not for this side")
)

// Why a transfer failed.
var (
	// ErrMalformed: the other side sent a packet that cannot be read; it was told.
	ErrMalformed = errors.New("tftp: malformed packet")
	// ErrWidth: one side counts blocks in two bytes and the other in four (Wide).
	ErrWidth = errors.New("tftp: the two sides count blocks in numbers of different width")
	// ErrNegotiation: the server answered options in a way that it may not.
	ErrNegotiation = errors.New("tftp: options were not answered as they may be")
	// ErrReplaced: the client began another transfer from the same port.
	ErrReplaced = errors.New("tftp: the client began anew")
	// ErrEvicted: the server had no room, and another client got the place of one that
	// did not answer, or hardly took anything.
	ErrEvicted = errors.New("tftp: the place was needed for another client")
	// ErrServerClosed is what Serve returns after Shutdown.
	ErrServerClosed = errors.New("tftp: server closed")
)

// A peerError is a failure that the other side caused, and what it was told.
type peerError struct {
	code Code
	text string
	err  error
}

func (e *peerError) Error() string { return fmt.Sprintf("%v: %s", e.err, e.text) }
func (e *peerError) Unwrap() error { return e.err }

// tell makes the ERROR that tells the other side of err: its kind, and nothing
// about this machine.
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

// sendable makes a text fit for an ERROR: no zero byte, and short.
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

// isShortage reports whether err is about something that this host lacks at the moment,
// and may have when the request comes again.
func isShortage(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// isDiskFull reports whether err says that there is no room left.
func isDiskFull(err error) bool {
	if errors.Is(err, ferry.ErrDiskFull) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return true
	}
	var errno syscall.Errno
	// ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL.
	return runtime.GOOS == "windows" && errors.As(err, &errno) && (errno == 39 || errno == 112)
}
