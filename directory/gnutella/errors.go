package gnutella

import "errors"

var (
	// ErrMalformed: bytes that are not a message of protocol 0.4. The connection is closed.
	ErrMalformed = errors.New("gnutella: malformed message")
	// ErrHandshake: the other side does not speak protocol 0.4.
	ErrHandshake = errors.New("gnutella: handshake failed")
	// ErrFlood: the other side sends more than the node forwards for one neighbour.
	ErrFlood = errors.New("gnutella: too many messages")
	// ErrNoLink: the node has no neighbours to ask.
	ErrNoLink = errors.New("gnutella: no neighbour is connected")
	// ErrClosed: the call needs [Node.Serve] to run.
	ErrClosed = errors.New("gnutella: the node is not running")
)
