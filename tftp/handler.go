package tftp

import (
	"context"
	"io"
	"net/netip"
	"strings"
)

// A Mode says what becomes of a file's bytes on the way.
type Mode int

// The modes of RFC 1350, section 1. "mail" is obsolete and not served.
const (
	Octet    Mode = iota // the bytes as they are
	Netascii             // text: each line ends with CR LF on the wire, with LF here
)

// String returns the mode as a request has it.
func (m Mode) String() string {
	if m == Netascii {
		return "netascii"
	}
	return "octet"
}

// ParseMode reads a mode; case does not matter.
func ParseMode(s string) (Mode, bool) {
	switch strings.ToLower(s) {
	case "octet":
		return Octet, true
	case "netascii":
		return Netascii, true
	}
	return 0, false
}

// A Request is what a client asks for.
type Request struct {
	// Op is RRQ, to read a file, or WRQ, to write one.
	Op Opcode
	// Name is as the client sent it: not checked, not cleaned. It holds no zero byte.
	Name string
	Mode Mode
	// Client is where the request comes from; at a client, the server it goes to.
	Client netip.AddrPort
	// Options are those of the request, known or not.
	Options []Option
	// Size is how many bytes a WRQ announces (RFC 2349), -1 if it does not.
	Size int64

	client bool // this side is the client
}

// A Handler serves files. Its methods are called by several goroutines at once, one for
// each transfer, and may block: nothing else waits for them. ctx ends when the transfer
// is to end, because the server does, or the client began anew.
//
// Of an error the client learns its kind alone: fs.ErrNotExist becomes code 1,
// fs.ErrPermission and fs.ErrInvalid code 2, [ErrDiskFull] and the system's word for it
// code 3, fs.ErrExist code 6, an [*Error] what it says, and everything else code 0. A
// panic is an error, too.
type Handler interface {
	// Open opens the file that a client asks for. The transfer closes the
	// source's reader if it can be closed.
	Open(ctx context.Context, r *Request) (Source, error)
	// Create makes what takes the file that a client wants to write.
	Create(ctx context.Context, r *Request) (Sink, error)
}

// A Sink takes the bytes of one transfer. Write is called in the order of the file,
// and then exactly one of Commit and Abort, all from one goroutine.
type Sink interface {
	// Write takes the next bytes. It must not keep b. An error ends the transfer.
	io.Writer
	// Commit says that the file is whole. The other side gets its last
	// acknowledgement only when Commit has returned nil. If it fails it
	// leaves nothing behind: Abort is not called.
	Commit() error
	// Abort says that the file will never be whole, and why.
	Abort(cause error)
}

// writerSink lets an io.Writer take one transfer; it has nothing to undo.
type writerSink struct{ io.Writer }

func (writerSink) Commit() error { return nil }
func (writerSink) Abort(error)   {}
