package sealed

import (
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/ferrygo/ferry/internal/datagram"
)

// An inner is the conn below a sealed one, with its optional methods; those that it lacks
// are nil.
type inner struct {
	pc        net.PacketConn
	reader    datagram.BatchReader
	poller    datagram.BatchPoller
	writer    datagram.BatchWriter
	offloader datagram.Offloader

	// The batches of a socket are for one goroutine at a time. Those of other conns are
	// not locked: a goroutine that waits for a mutex would keep the time of a synctest
	// bubble from going on.
	socket           bool
	reading, writing sync.Mutex
}

func (c *inner) open(pc net.PacketConn) {
	c.pc = pc
	_, c.socket = pc.(*net.UDPConn)
	c.reader, c.writer = datagram.Batches(pc)
	c.poller, _ = c.reader.(datagram.BatchPoller)
	c.offloader = datagram.Offloading(pc, c.reader, c.writer)
}

// readBatch reads one datagram or more, or, unless wait is set, those that are there.
func (c *inner) readBatch(x *inbox, local []netip.Addr, wait bool) (n int, err error) {
	if c.reader == nil {
		return c.readOne(x, local)
	}
	if c.socket {
		c.reading.Lock()
		defer c.reading.Unlock()
	}
	clear(x.segments)
	if wait {
		return c.reader.ReadBatch(x.bufs, x.sizes, x.segments, x.from, local)
	}
	return c.poller.PollBatch(x.bufs, x.sizes, x.segments, x.from, local)
}

func (c *inner) readOne(x *inbox, local []netip.Addr) (n int, err error) {
	size, addr, err := c.pc.ReadFrom(x.bufs[0])
	if err != nil {
		return 0, err
	}
	x.sizes[0], x.segments[0], x.from[0] = size, 0, addrPort(addr)
	if local != nil {
		local[0] = netip.Addr{}
	}
	return 1, nil
}

// writeBatch writes datagrams, and returns how many were written. If those are not all, the
// error is about the next.
func (c *inner) writeBatch(bufs [][]byte, to []netip.AddrPort, local []netip.Addr) (n int, err error) {
	if c.socket {
		c.writing.Lock()
		defer c.writing.Unlock()
	}
	for n < len(bufs) {
		if c.writer == nil {
			if _, err := c.pc.WriteTo(bufs[n], net.UDPAddrFromAddrPort(to[n])); err != nil {
				return n, err
			}
			n++
			continue
		}
		var rest []netip.Addr
		if local != nil {
			rest = local[n:]
		}
		k, err := c.writer.WriteBatch(bufs[n:], to[n:], rest)
		n += k
		if err != nil {
			return n, err
		}
		if k <= 0 {
			return n, io.ErrShortWrite
		}
	}
	return n, nil
}

// addrPort returns a UDP address, or an invalid one for any other address.
func addrPort(addr net.Addr) netip.AddrPort {
	a, ok := addr.(*net.UDPAddr)
	if !ok || a == nil {
		return netip.AddrPort{}
	}
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
