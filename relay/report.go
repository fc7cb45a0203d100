package relay

import "time"

// Stats say what a Server has done since its first Serve.
type Stats struct {
	// Clients are those that are there now.
	Clients int
	// Joined counts all clients there have been, Refused those for which there was no
	// room.
	Joined, Refused uint64
	// What clients did, those that are there and those that have left.
	ClientReport
}

// A ClientReport says what became of one client's messages, and of those for it.
type ClientReport struct {
	// Messages that the client sent, its exit included.
	Messages uint64
	// Delivered counts messages that were written to it, notices included, and Lost
	// those that it lost under the policy DropOldest.
	Delivered, Lost uint64
}

func (r *ClientReport) add(o ClientReport) {
	r.Messages += o.Messages
	r.Delivered += o.Delivered
	r.Lost += o.Lost
}

// A ConnReport says what a Forwarder carried for one client.
type ConnReport struct {
	// Up counts the bytes from the client to the upstream host, Down those from there.
	Up, Down int64
	Elapsed  time.Duration
}

// A ChatReport says what happened in one Run of a Peer.
type ChatReport struct {
	// Said counts the messages that the other peer acknowledged, Heard those that came
	// from it; exit is one of them.
	Said, Heard uint64
	// Sent counts packets that carried a message; SentAgain, which it includes, those
	// that repeat an earlier one.
	Sent, SentAgain uint64
	// Duplicates counts packets of the other peer that told nothing new, Bad those that
	// could not be decoded or had no place in the chat, Foreign those from strangers.
	Duplicates, Bad, Foreign uint64
	// RTT is the smoothed round-trip time to the other peer, 0 if it was never measured.
	RTT     time.Duration
	Elapsed time.Duration
}
