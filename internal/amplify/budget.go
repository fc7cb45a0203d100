// Package amplify bounds what a server sends to an address that has not proved that it
// receives what is sent there. A request may carry the address of a victim, who did not
// ask for anything: a server that answers with more than it was sent attacks the victim in
// the name of whoever sent the request.
//
//	b.Received(len(request)) // or Allow, or Grant: the protocol's own rule
//	if b.Allows(len(answer)) {
//		... send it
//		b.Sent(len(answer))
//	}
//	... when the address repeats something that only it can know:
//	b.Prove()
//
// The protocols differ in their allowance:
//
//	directory, p2mp   three times the bytes received (RFC 9000, section 8.1)
//	octoput           as many bytes as received
//	tftp              for each request 3 packets and 4096 bytes: the first block of a file
//	                  is longer than any request
package amplify

import "math"

// Factor is how many bytes may be sent for each byte received: an endpoint "MUST limit the
// amount of data it sends to the unvalidated address to three times the amount of data
// received from that address" (RFC 9000, section 8.1).
const Factor = 3

// A Budget is what may still be sent to an address. The zero Budget allows nothing.
type Budget struct {
	bytes   int64
	packets int32 // of a Grant
	granted bool  // packets count
	proved  bool
}

// Received allows Factor times the n bytes that came from the address.
func (b *Budget) Received(n int) { b.bytes += Factor * int64(n) }

// Allow allows n more bytes, but no more than max altogether.
func (b *Budget) Allow(n, max int) { b.bytes = min(b.bytes+int64(n), int64(max)) }

// Grant allows a number of packets and bytes, whatever was allowed before.
func (b *Budget) Grant(packets, bytes int) {
	b.packets, b.bytes, b.granted = int32(min(packets, math.MaxInt32)), int64(bytes), true
}

// Prove removes the limit.
func (b *Budget) Prove() { b.proved = true }

// Proved reports whether Prove was called.
func (b *Budget) Proved() bool { return b.proved }

// Room returns how many bytes may be sent.
func (b *Budget) Room() int64 {
	switch {
	case b.proved:
		return math.MaxInt64
	case b.granted && b.packets <= 0:
		return 0
	}
	return max(b.bytes, 0)
}

// Allows reports whether a packet of n bytes may be sent.
func (b *Budget) Allows(n int) bool { return b.Room() >= int64(n) }

// Sent notes that a packet of n bytes was sent.
func (b *Budget) Sent(n int) {
	b.bytes -= int64(n)
	b.packets = max(b.packets-1, 0)
}
