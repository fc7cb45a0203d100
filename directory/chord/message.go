package chord

import "net/netip"

// A Peer stands for another node in a [Machine]: whoever drives the machine chooses the numbers
// and says what they stand for. 0 means none.
type Peer uint32

// A Kind says what a message is for.
type Kind uint8

// The kinds of messages. An answer has the kind of its request plus 1. A notify has no answer.
const (
	Neighbours       Kind = 2  // who precedes and follows you?
	NeighboursAnswer Kind = 3  // Pred and Peers: the predecessor and the successor list
	Find             Kind = 4  // who is the successor of Key?
	FindAnswer       Kind = 5  // Done: Peers begin with it; otherwise Peers are closer to it
	Get              Kind = 6  // who holds Key?
	GetAnswer        Kind = 7  // Holders
	Put              Kind = 8  // I hold Key, at the port of Holders[0]
	PutAnswer        Kind = 9  // Done, or no room
	Notify           Kind = 10 // I may be your predecessor
)

// answer reports whether k is an answer.
func (k Kind) answer() bool { return k&1 == 1 }

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case Neighbours:
		return "NEIGHBOURS"
	case NeighboursAnswer:
		return "NEIGHBOURS answer"
	case Find:
		return "FIND"
	case FindAnswer:
		return "FIND answer"
	case Get:
		return "GET"
	case GetAnswer:
		return "GET answer"
	case Put:
		return "PUT"
	case PutAnswer:
		return "PUT answer"
	case Notify:
		return "NOTIFY"
	}
	return "unknown kind"
}

// A Message is what one node says to another. Which fields count depends on the kind.
type Message struct {
	Kind Kind
	// Done is set in the answer to a FIND that ends the look-up, and in that to a PUT
	// that was accepted.
	Done bool
	// Remove makes a PUT withdraw what another one said.
	Remove bool
	// Nonce is that of the request in its answer.
	Nonce uint64
	Key   ID
	Pred  Peer
	Peers []Peer
	// Token comes with every answer, and is shown in PUT and NOTIFY: it proves that
	// the sender receives at its address. The machine keeps it and does not look into it.
	Token   uint64
	Holders []netip.AddrPort
}
