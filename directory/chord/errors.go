package chord

import "errors"

var (
	// ErrMalformed: a datagram that is not one of this protocol; see [Trace].
	ErrMalformed = errors.New("chord: malformed packet")
	// ErrNoAnswer: no node of the ring answered.
	ErrNoAnswer = errors.New("chord: no node of the ring answers")
	// ErrRefused: the nodes that should keep a publication have no room for it.
	ErrRefused = errors.New("chord: no node has room for the publication")
	// ErrClosed: the call needs [Node.Serve] to run.
	ErrClosed = errors.New("chord: the node is not running")
)
