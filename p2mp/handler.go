package p2mp

import (
	"io"
	"net/netip"
)

// An Offer is a transfer that a sender begins.
type Offer struct {
	// From is the sender's address.
	From netip.AddrPort
}

// A Handler decides what becomes of the transfers that arrive at [Receiver.Serve].
type Handler interface {
	// Accept returns the sink that takes the transfer's bytes, or an error to
	// refuse it. Serve calls it from its one goroutine, so it should not block.
	Accept(Offer) (Sink, error)
}

// The HandlerFunc type lets a function be a [Handler].
type HandlerFunc func(Offer) (Sink, error)

// Accept calls f.
func (f HandlerFunc) Accept(o Offer) (Sink, error) { return f(o) }

// A Sink takes the bytes of one transfer. Serve calls Write in the order of the
// file, and then exactly one of Commit and Abort, all from one goroutine: while a
// Sink blocks, no packet is answered.
type Sink interface {
	// Write takes the next bytes. It must not keep b. An error ends the transfer.
	io.Writer
	// Commit says that the file is whole. The sender gets its last
	// acknowledgement only when Commit has returned nil.
	Commit() error
	// Abort says that the file will never be whole, and why.
	Abort(cause error)
}

// writerSink lets an io.Writer take one transfer; it has nothing to undo.
type writerSink struct{ io.Writer }

func (writerSink) Commit() error { return nil }
func (writerSink) Abort(error)   {}
