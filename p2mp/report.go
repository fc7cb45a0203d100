package p2mp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// A State is the progress of a peer in a transfer.
type State int

// The states of a peer. Joining is followed by Receiving and Complete. Dropped may follow any
// of them.
const (
	Joining   State = iota // has not answered yet
	Receiving              // has answered
	Complete               // has the whole file
	Dropped                // given up; PeerReport.Err says why
)

// String returns the state's name in lower case.
func (s State) String() string {
	switch s {
	case Joining:
		return "joining"
	case Receiving:
		return "receiving"
	case Complete:
		return "complete"
	case Dropped:
		return "dropped"
	}
	return fmt.Sprintf("state %d", int(s))
}

// A Report says what happened in one transfer, on either side. It is filled in as far as the
// transfer went, even if there was an error.
type Report struct {
	// Bytes and Chunks are those that arrived and were written, or, at a sender, those that
	// the receiver with the most of them acknowledged. In the classic mode an empty last
	// chunk counts.
	Bytes  int64
	Chunks uint32
	// Elapsed runs from the call, or from the first packet at a receiver, to the last
	// acknowledgement, without lingering.
	Elapsed time.Duration
	// Unexpected counts packets that could not be decoded or did not fit the transfer.
	// Unsolicited counts packets from addresses that take no part in it. Both were ignored.
	Unexpected, Unsolicited uint64
	// GroupSent counts DATA packets sent to the group. It includes GroupRetransmitted.
	GroupSent, GroupRetransmitted uint64
	// Peers are the receivers, in the order given to Send or in which they joined, or the one
	// sender.
	Peers []PeerReport
}

// A PeerReport is one peer's part in a transfer.
type PeerReport struct {
	Addr  netip.AddrPort
	State State
	// Extended is set if the peer speaks the extended mode.
	Extended bool
	// Multicast is set if the peer was a member of the group, at least at first.
	Multicast bool
	// Bytes and Chunks are those that the receiver acknowledged, or that came from the sender.
	Bytes  int64
	Chunks uint32
	// Sent counts packets sent to this peer alone. It includes Retransmitted.
	Sent, Retransmitted uint64
	// Duplicates counts packets from this peer that carried nothing new.
	Duplicates uint64
	// RTT is the smoothed round-trip time, 0 if it was not measured: a receiver measures
	// none.
	RTT time.Duration
	// Elapsed is the time until this peer was complete, 0 if it never was.
	Elapsed time.Duration
	// Err is nil, or a *PeerError at a sender, or the reason why the transfer failed at a
	// receiver.
	Err error
}

// clone returns a copy that shares nothing with r.
func (r Report) clone() Report {
	r.Peers = slices.Clone(r.Peers)
	return r
}
