package tftp

import (
	"errors"

	"github.com/ferrygo/ferry"
)

// A gate bounds how many sinks are at work at the same time. Each system call that waits for
// a disk takes a thread, which the Go runtime never ends.
type gate chan struct{}

// maxSinks is how many sinks of a server are at work at once.
const maxSinks = 64

func (g gate) enter() { g <- struct{}{} }
func (g gate) leave() { <-g }

// accept asks the server's Handler for the sink of an offer.
func (d *dispatcher) accept(o ferry.Offer) (ferry.Sink, error) {
	d.gate.enter()
	defer d.gate.leave()
	sink, err := d.server.Handler.Accept(o)
	switch {
	case err != nil:
		return nil, err
	case sink == nil:
		return nil, errors.New("tftp: the handler returned no sink")
	}
	return gatedSink{sink, d.gate}, nil
}

// A gatedSink is a sink behind a gate.
type gatedSink struct {
	sink ferry.Sink
	gate gate
}

func (s gatedSink) Write(b []byte) (int, error) {
	s.gate.enter()
	defer s.gate.leave()
	return s.sink.Write(b)
}

func (s gatedSink) Commit() error {
	s.gate.enter()
	defer s.gate.leave()
	return s.sink.Commit()
}

func (s gatedSink) Abort(cause error) {
	s.gate.enter()
	defer s.gate.leave()
	s.sink.Abort(cause)
}
