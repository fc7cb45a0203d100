package p2mp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// A State says how far a peer is in a transfer.
type State int

// The states of a peer. Joining leads to Receiving, that to Complete; Dropped ends any
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

// A Report says what happened in one transfer, on either side. It is filled as far as
// the transfer went, also when there was an error.
type Report struct {
	// Bytes of the file that the receiver which has most of it acknowledged, or that
	// were received and written, and the chunks that held them (in lock-step, an empty
	// last one included).
	Bytes  int64
	Chunks uint32
	// Elapsed runs from the call, or from the first chunk at a receiver, to the last
	// acknowledgement, without lingering.
	Elapsed time.Duration
	// Bad counts packets that could not be decoded or had no place in the transfer;
	// Foreign counts those from addresses that take no part in it. Both were ignored.
	Bad, Foreign uint64
	// GroupSent counts DATA packets sent to the group; GroupSentAgain, which it includes,
	// those that repeat an earlier one.
	GroupSent, GroupSentAgain uint64
	// Peers are the receivers, in the order given to Send, or in which they joined, or the
	// one sender.
	Peers []PeerReport
}

// A PeerReport is one peer's part in a transfer.
type PeerReport struct {
	Addr  netip.AddrPort
	State State
	// Extended says that the peer speaks the extended mode.
	Extended bool
	// Multicast says that the peer was sent to through the group, at least at first.
	Multicast bool
	// Bytes and Chunks that the receiver acknowledged, or that came from the sender.
	Bytes  int64
	Chunks uint32
	// Sent counts packets sent to this peer alone; SentAgain, which it includes, those that
	// repeat an earlier one.
	Sent, SentAgain uint64
	// Duplicates counts packets from this peer that told nothing new.
	Duplicates uint64
	// RTT is the smoothed round-trip time, 0 if it was never measured: a receiver
	// measures none.
	RTT time.Duration
	// Elapsed is how long it took until this peer was complete; 0 if it never was.
	Elapsed time.Duration
	// Err is nil; or a *PeerError, at a sender; or why the transfer failed, at a
	// receiver.
	Err error
}

// clone returns a copy that shares nothing with r.
func (r Report) clone() Report {
	r.Peers = slices.Clone(r.Peers)
	return r
}
