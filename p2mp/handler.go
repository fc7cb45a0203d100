package p2mp

import (
	"io"
	"io/fs"
	"net/netip"
)

// An Offer is a transfer that a sender begins.
type Offer struct {
	// From is the sender's address.
	From netip.AddrPort
	// Extended says that the sender speaks the extended mode. A classic sender tells
	// nothing of what follows.
	Extended bool
	// Name is what the sender calls the file. It may be empty and it may be anything:
	// it is the handler's to check.
	Name string
	// Size is in bytes, negative if it is not known.
	Size int64
	// Mode holds permission bits, 0 if there are none.
	Mode fs.FileMode
	// SHA256 is the digest of the file, nil if the sender does not know it beforehand.
	SHA256 *[32]byte
}

// A Handler decides what becomes of the transfers that arrive at [Receiver.Serve].
type Handler interface {
	// Accept returns the sink that takes the transfer's bytes, or an error to refuse
	// it. Serve calls it from its one goroutine, so it should not block.
	//
	// The sender is told only which kind of error it was: fs.ErrInvalid (for the name),
	// fs.ErrExist, ErrTooLarge, ErrBusy, an *AbortError's reason, that the file could not
	// be kept where the error is another one of the system's (a full disk), or else that
	// it was refused. Of the errors of Write and Commit it is told likewise, but never
	// that it was refused.
	Accept(Offer) (Sink, error)
}

// The HandlerFunc type lets a function be a [Handler].
type HandlerFunc func(Offer) (Sink, error)

// Accept calls f.
func (f HandlerFunc) Accept(o Offer) (Sink, error) { return f(o) }

// A Sink takes the bytes of one transfer. Its methods are called one after the other:
// Write in the order of the file, and then exactly one of Commit and Abort. While Write
// or Abort blocks, no packet is answered. Commit may be called from another goroutine
// than the others.
type Sink interface {
	// Write takes the next bytes: up to 64 KiB of chunks that arrived together, so that
	// a file need not be written chunk by chunk. It must not keep b. An error ends the
	// transfer.
	io.Writer
	// Commit says that the file is whole and, in the extended mode, that its digest is
	// right. The sender is told that its file is safe only when Commit has returned
	// nil.
	Commit() error
	// Abort says that the file will never be whole, and why.
	Abort(cause error)
}

// A Resumer is a Sink that may hold the beginning of the file already, from a transfer
// that was cut off. It is asked only when the offer has a digest and a size.
type Resumer interface {
	Sink
	// ReadAt reads what Resume held and Write wrote: when all is there, its digest is
	// compared, so that what was held need not be trusted. The end of Serve's context
	// breaks that off, and Abort follows.
	io.ReaderAt
	// Resume returns how many bytes of the beginning are held: the whole file, or a
	// multiple of chunk, to which it cuts what it has. Write goes on behind them. It is
	// called once, before Write.
	Resume(chunk int) (held int64, err error)
}

// writerSink lets an io.Writer take one transfer; it has nothing to undo.
type writerSink struct{ io.Writer }

func (writerSink) Commit() error { return nil }
func (writerSink) Abort(error)   {}
