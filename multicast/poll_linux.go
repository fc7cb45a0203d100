package multicast

import (
	"net/netip"

	"github.com/ferrygo/ferry/internal/datagram"
)

var _ datagram.BatchPoller = (*Conn)(nil)

// PollBatch is ReadBatch, but for the deadline, which it ignores, and the waiting: where
// no packet is there it returns 0 and no error. Only Linux has it.
func (c *Conn) PollBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort) (n int, err error) {
	return c.readBatch(bufs, sizes, segments, from, false)
}
