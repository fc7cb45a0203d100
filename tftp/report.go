package tftp

import (
	"net/netip"
	"time"
)

// A Report says what happened in one transfer, at either side. It is filled in as far as the
// transfer went, also when there was an error.
type Report struct {
	// Addr is the other side, at the port that it chose for the transfer. The port is 0 if
	// the other side never answered.
	Addr netip.AddrPort
	// BlockSize and WindowSize are those that were agreed on.
	BlockSize, WindowSize int
	// Size is the length of the file as it was announced, -1 if it was not.
	Size int64
	// Bytes and Blocks count what was acknowledged, or received in order. In netascii they
	// count what was on the wire.
	Bytes, Blocks int64
	// Sent counts the DATA packets that were sent, or a receiver's ACKs. Retransmitted,
	// which Sent includes, counts those that repeat an earlier one.
	Sent, Retransmitted uint64
	// Duplicates counts packets from the other side that repeat an earlier one.
	Duplicates uint64
	// Unexpected counts packets from the other side that could not be decoded or did not fit
	// the transfer; Unsolicited counts packets from other addresses.
	Unexpected, Unsolicited uint64
	// RTT is the smoothed round-trip time, 0 if it was never measured.
	RTT time.Duration
	// Elapsed is the time from the call, or from the arrival of the request, to the last
	// acknowledgement. It does not include lingering.
	Elapsed time.Duration
	// Probe is set if the client ended the transfer with error 8 after the OACK. Boot loaders
	// do this to learn the size of a file. It is not a failure.
	Probe bool
}

// Stats says what happened at a server so far.
type Stats struct {
	// Transfers is the number of transfers in progress, Lingering the number of those that
	// are over and only repeat their last ACK.
	Transfers, Lingering int
	// Accepted counts the requests that began a transfer, Failed those that ended with an
	// error, refused ones included.
	Accepted, Failed uint64
	// Busy counts requests that were ignored because there was no room.
	Busy uint64
	// The sums over the transfers that have ended; see Report.
	Bytes                                                    int64
	Sent, Retransmitted, Duplicates, Unexpected, Unsolicited uint64
}

// add counts a transfer that has ended.
func (s *Stats) add(r Report, err error) {
	if err != nil {
		s.Failed++
	}
	s.Bytes += r.Bytes
	s.Sent += r.Sent
	s.Retransmitted += r.Retransmitted
	s.Duplicates += r.Duplicates
	s.Unexpected += r.Unexpected
	s.Unsolicited += r.Unsolicited
}
