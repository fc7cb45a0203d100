package multicast

import (
	"net/netip"

	"github.com/ferrygo/ferry/internal/datagram"
)

var _ datagram.BatchPoller = (*Conn)(nil)

// Poller returns a function that is ReadBatch, but for the deadline, which it ignores, and
// the waiting: where no packet is there it returns 0 and no error. It returns nil if self
// is not c: a type that embeds a Conn has Poller, too, and may read in another way. Only
// Linux has it.
func (c *Conn) Poller(self any) func(bufs [][]byte, sizes, segments []int, from []netip.AddrPort) (int, error) {
	if self != any(c) {
		return nil
	}
	return func(bufs [][]byte, sizes, segments []int, from []netip.AddrPort) (int, error) {
		return c.readBatch(bufs, sizes, segments, from, false)
	}
}
