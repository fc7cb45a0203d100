package octoput

import (
	"io"
	"net/netip"
)

// An Offer is a transfer that begins.
type Offer struct {
	// Peer is the other side.
	Peer netip.AddrPort
	// Session tells the transfer from others with the same peer.
	Session uint32
	// Name is what the sender calls the file. It comes from the network: it may be
	// empty, or try to leave the directory. [Dir] checks it.
	Name string
	// Size is the length of the file in bytes.
	Size int64
}

// A Handler decides what becomes of the transfers that arrive at [Receiver.Serve] or
// [Receiver.Get].
type Handler interface {
	// Accept returns the sink that takes the transfer's bytes, or an error to refuse
	// it. The other side is told of fs.ErrExist, fs.ErrNotExist and fs.ErrInvalid in
	// the error, and of anything else only that it was refused. The call comes from the
	// one goroutine of Serve or Get, so it should not block.
	Accept(Offer) (Sink, error)
}

// The HandlerFunc type lets a function be a [Handler].
type HandlerFunc func(Offer) (Sink, error)

// Accept calls f.
func (f HandlerFunc) Accept(o Offer) (Sink, error) { return f(o) }

// A Sink takes the bytes of one transfer. It gets Write in the order of the
// file, and then exactly one of Commit and Abort, all from one goroutine: while a
// Sink blocks, no packet is answered.
type Sink interface {
	// Write takes the next bytes, an octoblock's at a time. It must not keep b. An error
	// ends the transfer.
	io.Writer
	// Commit says that the file is whole and has the digest that the sender says.
	// The FIN is acknowledged only when Commit has returned nil.
	Commit() error
	// Abort says that the file will never be whole, and why.
	Abort(cause error)
}

// To returns a Handler that writes a transfer to w. The bytes reach w before the file is
// verified: when the transfer fails, w may hold the beginning of it.
func To(w io.Writer) Handler {
	return HandlerFunc(func(Offer) (Sink, error) { return writerSink{w}, nil })
}

// writerSink lets an io.Writer take one transfer; it has nothing to undo.
type writerSink struct{ io.Writer }

func (writerSink) Commit() error { return nil }
func (writerSink) Abort(error)   {}
