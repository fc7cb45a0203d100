package ferry

import (
	"context"
	"io"
	"io/fs"
	"net/netip"
	"time"
)

// An Offer is a file that the other side wants to send.
type Offer struct {
	// Addr is the sender's address.
	Addr netip.AddrPort
	// Session tells the transfer from others with the same Addr. It is 0 in a protocol
	// without sessions.
	Session uint64
	// Name is the file name that the sender gives. It comes from the network: it may be
	// empty, or try to leave a directory. [Dir] checks it.
	Name string
	// Unnamed is set when the protocol carries no name at all, as the classic mode of
	// p2mp. [Dir] then makes a name from the time and Addr.
	Unnamed bool
	// Size is in bytes, negative if it is not known.
	Size int64
	// Mode holds permission bits, 0 if there are none.
	Mode fs.FileMode
	// ModTime is zero if it is not known.
	ModTime time.Time
	// SHA256 is the digest of the file, nil if the sender does not know it beforehand.
	SHA256 *[32]byte
}

// A Handler decides what happens to files that arrive. [Dir], [SaveAs] and [To] return
// one.
type Handler interface {
	// Accept returns the sink that takes the file's bytes, or an error to refuse it. p2mp
	// and octoput call it from the one goroutine that answers packets, so it should not
	// block there.
	//
	// The other side is told only the kind of error: fs.ErrInvalid (for the name),
	// fs.ErrExist, fs.ErrNotExist, fs.ErrPermission, ErrTooLarge, ErrDiskFull, ErrBusy,
	// a protocol's own error type, or only that the file was refused.
	Accept(Offer) (Sink, error)
}

// The HandlerFunc type lets a function be a [Handler].
type HandlerFunc func(Offer) (Sink, error)

// Accept calls f.
func (f HandlerFunc) Accept(o Offer) (Sink, error) { return f(o) }

// To returns a Handler that writes a file to w as it arrives, before it is verified.
// When the transfer fails, w may hold the beginning of a file, or a wrong one. If w is a
// [Sink] it is used as one.
func To(w io.Writer) Handler {
	return HandlerFunc(func(Offer) (Sink, error) {
		if s, ok := w.(Sink); ok {
			return s, nil
		}
		return writerSink{w}, nil
	})
}

// A Request is a file that the other side asks for.
type Request struct {
	// Addr is the address of the client.
	Addr netip.AddrPort
	// Name is the name as the client sent it, which may be anything. [Dir] and [FS] check
	// it.
	Name string
}

// An Opener opens the files that clients ask for. [Dir] and [FS] are Openers.
type Opener interface {
	// Open returns the file. The server closes its reader, if that is an io.Closer, at
	// the end of the transfer. ctx ends when the transfer ends. The client is told only
	// the kind of error, as with [Handler].
	Open(ctx context.Context, r Request) (Source, error)
}
