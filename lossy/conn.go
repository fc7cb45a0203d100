package lossy

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// A Conn is an endpoint of a [Network]. It behaves as an unconnected UDP
// socket on Linux does, errors included: each read returns one datagram and
// cuts it off where the buffer ends, an empty datagram is one, a write never
// waits, and a datagram for an address without a conn is lost without error.
//
// Its methods may be called by any number of goroutines.
type Conn struct {
	network *Network
	local   netip.AddrPort
	laddr   net.Addr // local, for errors

	// The network's mutex guards what follows.
	closed        bool
	queue         queue
	waiting       []*reader     // in the order in which they came
	expired       bool          // the read deadline has passed
	readDeadline  event         // in the network's heap while it is to come
	writeDeadline time.Duration // or never
	inFlight      int           // bytes
	egress        Stats
	ingress       Stats

	spare atomic.Pointer[reader]
}

var (
	_ net.PacketConn       = (*Conn)(nil)
	_ datagram.BatchReader = (*Conn)(nil)
	_ datagram.BatchWriter = (*Conn)(nil)
)

func newConn(n *Network, addr netip.AddrPort) *Conn {
	c := &Conn{
		network:       n,
		local:         addr,
		laddr:         net.UDPAddrFromAddrPort(addr),
		queue:         queue{limit: defaultReadBuffer},
		writeDeadline: never,
	}
	c.readDeadline = event{kind: deadline, conn: c}
	return c
}

// LocalAddr returns a new *net.UDPAddr.
func (c *Conn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.local) }

// AddrPort returns the address of the conn.
func (c *Conn) AddrPort() netip.AddrPort { return c.local }

// Stats returns what became of the packets that the conn sent, and what
// arrived at it: of that, only Packets, Bytes, Passed and Overflowed are
// counted.
func (c *Conn) Stats() (egress, ingress Stats) {
	c.network.enter()
	defer c.network.leave()
	return c.egress, c.ingress
}

// Close closes the conn: readers return [net.ErrClosed], the address is free
// again, and datagrams that have not been read are lost. Datagrams already
// written still arrive. Closing it again is an error.
func (c *Conn) Close() error {
	n := c.network
	n.enter()
	defer n.leave()
	if c.closed {
		return c.opError("close", nil, net.ErrClosed)
	}
	c.closed = true
	n.hosts.close(c)
	n.groups.removeAll(c)
	n.leaving[c] = struct{}{}
	if c.inFlight == 0 {
		n.retire(c)
	}
	n.heap.remove(&c.readDeadline)
	c.wakeAll(net.ErrClosed)
	for c.queue.count > 0 {
		n.pool.put(c.queue.pop())
	}
	return nil
}

// set locks the network and calls f, unless the conn is closed.
func (c *Conn) set(f func(now time.Duration) error) error {
	now := c.network.enter()
	defer c.network.leave()
	err := net.ErrClosed
	if !c.closed {
		err = f(now)
	}
	if err != nil {
		return c.opError("set", nil, err)
	}
	return nil
}

// SetReadBuffer sets how many bytes may wait to be read; each datagram counts
// its payload and 256 more. What exceeds it is dropped and counted, but one
// datagram always fits. The default is 212992, as on Linux.
func (c *Conn) SetReadBuffer(bytes int) error {
	return c.set(func(time.Duration) error {
		if bytes < 0 {
			return syscall.EINVAL
		}
		c.queue.limit = bytes
		return nil
	})
}

// SetWriteBuffer changes nothing: a write never waits for buffer space.
func (c *Conn) SetWriteBuffer(bytes int) error {
	return c.set(func(time.Duration) error {
		if bytes < 0 {
			return syscall.EINVAL
		}
		return nil
	})
}

// opError is what the net package wraps the errors of a UDP socket in.
func (c *Conn) opError(op string, addr net.Addr, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.laddr, Addr: addr, Err: err}
}

// readable returns why c cannot be read, or nil.
func (c *Conn) readable() error {
	switch {
	case c.closed:
		return net.ErrClosed
	case c.expired:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// writable returns why c cannot be written to, or nil.
func (c *Conn) writable(now time.Duration) error {
	switch {
	case c.closed:
		return net.ErrClosed
	case c.writeDeadline <= now:
		return os.ErrDeadlineExceeded
	}
	return nil
}
