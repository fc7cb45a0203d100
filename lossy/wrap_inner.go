package lossy

import (
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/ferrygo/ferry/internal/datagram"
)

// An inner is a conn that is wrapped, with its optional methods.
type inner struct {
	pc    net.PacketConn
	local netip.AddrPort
	udp   bool // whether its addresses are UDP addresses

	// Methods that it lacks are nil.
	single      addrPortConn
	batchReader datagram.BatchReader
	batchWriter datagram.BatchWriter
	offloader   datagram.Offloader

	// The batches of a socket are for one goroutine at a time. Those of other
	// conns are not locked: a goroutine that waits for a mutex would keep the
	// time of a synctest bubble from going on.
	socket           bool
	reading, writing sync.Mutex
}

// An addrPortConn saves the allocation of a net.Addr.
type addrPortConn interface {
	ReadFromUDPAddrPort(b []byte) (n int, addr netip.AddrPort, err error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
}

// open prepares pc to be wrapped.
func (c *inner) open(pc net.PacketConn) {
	c.pc = pc
	if c.local, c.udp = udpAddrPort(pc.LocalAddr()); !c.udp {
		return
	}
	// Of other types it is not known that these methods do what ReadFrom and
	// WriteTo do: a type that embeds a *net.UDPConn may redefine only those.
	switch pc := pc.(type) {
	case *net.UDPConn:
		c.single, c.socket = pc, true
	case *Conn:
		c.single = pc
	}
	c.batchReader, c.batchWriter = datagram.Batches(pc)
	c.offloader = datagram.Offloading(pc, c.batchReader, c.batchWriter)
}

// offload says whether a batch of writeBatch may go to the system in one piece. Nothing
// is read so. No other goroutine reads meanwhile.
func (c *inner) offload(write bool) {
	if c.offloader == nil {
		return
	}
	if c.socket {
		c.reading.Lock()
		defer c.reading.Unlock()
		c.writing.Lock()
		defer c.writing.Unlock()
	}
	c.offloader.Offload(write, false)
}

// read reads one datagram. The address is that of a UDP conn, or else a
// net.Addr.
func (c *inner) read(b []byte) (n int, from netip.AddrPort, addr net.Addr, err error) {
	if c.single != nil {
		n, from, err = c.single.ReadFromUDPAddrPort(b)
		return n, unmap(from), nil, err
	}
	n, addr, err = c.pc.ReadFrom(b)
	from, ok := udpAddrPort(addr)
	if ok {
		addr = nil
	}
	return n, from, addr, err
}

// write writes one datagram to f's other end, or to addr if that is not nil.
func (c *inner) write(b []byte, f *flow, addr net.Addr) error {
	var err error
	switch {
	case addr != nil:
		_, err = c.pc.WriteTo(b, addr)
	case c.single != nil && f.to.Addr().IsValid():
		_, err = c.single.WriteToUDPAddrPort(b, f.to)
	default:
		_, err = c.pc.WriteTo(b, f.udpAddr())
	}
	return err
}

// writeBatch writes the datagrams of x. It returns how many were written; if
// that is not all of them, the error is about the next.
func (c *inner) writeBatch(x *outbox) (n int, err error) {
	if c.socket {
		c.writing.Lock()
		defer c.writing.Unlock()
	}
	for n < x.len() {
		if c.batchWriter == nil {
			if err := c.write(x.bufs[n], x.flows[n], nil); err != nil {
				return n, err
			}
			n++
			continue
		}
		k, err := c.batchWriter.WriteBatch(x.bufs[n:], x.to[n:], x.local[n:])
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

// readBatch reads one datagram or more.
func (c *inner) readBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr) (n int, err error) {
	if c.batchReader != nil {
		if c.socket {
			c.reading.Lock()
			defer c.reading.Unlock()
		}
		return c.batchReader.ReadBatch(bufs, sizes, segments, from, local)
	}
	segments[0] = 0
	clear(local)
	sizes[0], from[0], _, err = c.read(bufs[0])
	if err != nil {
		return 0, err
	}
	return 1, nil
}

// opError is what the net package wraps the errors of a socket in.
func (c *inner) opError(op string, addr net.Addr, err error) error {
	local := c.pc.LocalAddr()
	network := "udp"
	if local != nil {
		network = local.Network()
	}
	return &net.OpError{Op: op, Net: network, Source: local, Addr: addr, Err: err}
}
