package lossy

import "net/netip"

// A Packet is one datagram as a predicate or a [Trace] sees it.
type Packet struct {
	// From and To say which flow the packet belongs to. IPv4 addresses are
	// in their 4-byte form. Behind a [Wrap] the local one is the address the
	// conn is bound to, which may be unspecified ([::]:7735).
	From, To netip.AddrPort

	// Group is the multicast group that the packet was sent to. To is then
	// the member of it that this flow leads to. It is invalid otherwise.
	Group netip.Addr

	// Payload is the datagram. It is valid during the call only, and must not
	// be changed.
	Payload []byte

	// N is the packet's number in its flow, from 1. Every packet written (or
	// read, for ingress) counts, dropped ones included; a copy has its
	// original's number.
	N int
}
