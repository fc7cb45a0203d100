package relay

import "time"

// Stats are the counters of a Server since its first Serve.
type Stats struct {
	// Clients is the number of clients now.
	Clients int
	// Joined counts all clients that joined, Refused those that could not.
	Joined, Refused uint64
	// ClientReport is the sum over all clients, those that have left included.
	ClientReport
}

// A ClientReport counts the messages of one client.
type ClientReport struct {
	// Messages counts those that the client sent, exit included.
	Messages uint64
	// Delivered counts those that were written to it, notices included; Lost those dropped under the policy DropOldest.
	Delivered, Lost uint64
}

func (r *ClientReport) add(o ClientReport) {
	r.Messages += o.Messages
	r.Delivered += o.Delivered
	r.Lost += o.Lost
}

// A ConnReport describes one client's connection through a Forwarder.
type ConnReport struct {
	// Up counts the bytes from the client to the upstream host, Down those in the other direction.
	Up, Down int64
	Elapsed  time.Duration
}

// A ChatReport describes one Run of a Peer.
type ChatReport struct {
	// Said counts the messages that the other peer acknowledged, Heard those that it sent; both include exit.
	Said, Heard uint64
	// Sent counts packets with a message, retransmissions included.
	Sent, Retransmitted uint64
	// Duplicates counts repeated packets of the other peer, Unexpected its packets that are malformed or fit no state,
	// Unsolicited packets from other addresses.
	Duplicates, Unexpected, Unsolicited uint64
	// RTT is the smoothed round-trip time to the other peer, 0 if it was never measured.
	RTT     time.Duration
	Elapsed time.Duration
}
