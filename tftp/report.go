package tftp

import (
	"net/netip"
	"time"
)

// A Report says what happened in one transfer, on either side. It is filled as far as
// the transfer went, also when there was an error.
type Report struct {
	// Peer is the other side, at the port that it chose for the transfer;
	// port 0 if it never answered.
	Peer netip.AddrPort
	// BlockSize and WindowSize are those that were agreed.
	BlockSize, WindowSize int
	// Size is the file's length as it was announced, -1 if it was not.
	Size int64
	// Bytes and Blocks of the file that were acknowledged, or received in order. In
	// netascii they are counted as they are on the wire.
	Bytes, Blocks int64
	// Sent counts the DATA packets sent, or the ACKs of a receiver; SentAgain, which it
	// includes, those that repeat an earlier one.
	Sent, SentAgain uint64
	// Duplicates counts packets from the other side that told nothing new.
	Duplicates uint64
	// Bad counts packets from the other side that could not be decoded or had no place
	// in the transfer; Foreign counts those from elsewhere. Both were ignored, but for
	// one that ends the transfer.
	Bad, Foreign uint64
	// RTT is the smoothed round-trip time, 0 if it was never measured.
	RTT time.Duration
	// Elapsed runs from the call, or from the arrival of the request, to the last
	// acknowledgement, without lingering.
	Elapsed time.Duration
	// Probe says that the client wanted no more than the answer to its options: it
	// ended the transfer with error 8 before it began, as boot loaders do to learn a
	// file's size.
	Probe bool
}
