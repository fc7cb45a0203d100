package octoput

import (
	"net/netip"
	"time"
)

// A Report says what happened in one transfer, on either side. It is filled
// as far as the transfer went, also when there was an error.
type Report struct {
	// Addr is the other side, and Session what both called the transfer.
	Addr    netip.AddrPort
	Session uint32
	// Name and Size are the file's, as the OPEN had them.
	Name string
	Size int64
	// Bytes of the file, without blanks, and the octoblocks that held them: those that
	// the receiver acknowledged, or that it wrote.
	Bytes  int64
	Blocks uint64
	// Sent counts packets sent; Retransmitted, which it includes, those that repeat an
	// earlier one. Timeouts counts the times that a timer ran out.
	Sent, Retransmitted, Timeouts uint64
	// Duplicates counts packets that told nothing new. Unexpected counts packets that could
	// not be decoded or did not fit the transfer, Unsolicited those from addresses that
	// take no part in it. All were ignored, except that a duplicate is acknowledged again.
	Duplicates, Unexpected, Unsolicited uint64
	// RTT is the smoothed round-trip time; 0 if it was never measured, as by a receiver.
	RTT time.Duration
	// Elapsed runs from the call, or from the OPEN at a receiver, to the end without
	// lingering.
	Elapsed time.Duration
}
