package lossy

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// A Conn is an endpoint of a [Network]. It behaves as an unconnected UDP
// socket on Linux does, errors included: each read returns one datagram and
// cuts it off where the buffer ends, an empty datagram is one, a write never
// waits, and a datagram for an address that nobody has is lost without error.
//
// Its methods may be called by any number of goroutines.
type Conn struct {
	network *Network
	local   netip.AddrPort

	// The network's mutex guards what follows.
	closed        bool
	queue         queue
	waiting       []*reader     // in the order in which they came
	expired       bool          // the read deadline has passed
	deadline      event         // the read deadline, while it is to come
	writeDeadline time.Duration // or never
	inFlight      int           // bytes

	spare atomic.Pointer[reader]
}

// NewConn opens a conn at an address. Port 0 stands for a free one; an
// address without an IP, or with 0.0.0.0, for the next of 10.0.0.1, 10.0.0.2
// and so on at which no conn is open ([::] for the next of fd00::1 and so on).
// An address in use and a multicast address are errors.
func (n *Network) NewConn(addr netip.AddrPort) (*Conn, error) {
	n.enter()
	defer n.leave()
	addr, err := n.conns.choose(addr)
	if err != nil {
		return nil, err
	}
	c := &Conn{
		network: n, local: addr, writeDeadline: never,
		queue: queue{limit: defaultReadBuffer},
	}
	c.deadline = event{kind: deadline, to: addr, conn: c}
	n.conns.open[addr] = c
	return c, nil
}

// LocalAddr returns a new *net.UDPAddr.
func (c *Conn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.local) }

// AddrPort returns the address of the conn.
func (c *Conn) AddrPort() netip.AddrPort { return c.local }

// ReadFrom reads one datagram; the address is a new *net.UDPAddr.
func (c *Conn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// ReadFromUDPAddrPort is ReadFrom without an allocation.
func (c *Conn) ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error) {
	n, from, err = c.read(b)
	if err != nil {
		err = c.opError("read", nil, err)
	}
	return n, from, err
}

// WriteTo sends one datagram to addr, which must be a *net.UDPAddr.
func (c *Conn) WriteTo(b []byte, addr net.Addr) (int, error) {
	a, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, c.opError("write", addr, syscall.EINVAL)
	}
	if a == nil {
		return 0, c.opError("write", nil, errMissingAddress)
	}
	return c.WriteToUDPAddrPort(b, a.AddrPort())
}

// WriteToUDPAddrPort is WriteTo without an allocation.
func (c *Conn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	now := c.network.enter()
	defer c.network.leave()
	if err := c.write(b, to, now); err != nil {
		return 0, c.opError("write", net.UDPAddrFromAddrPort(to), err)
	}
	return len(b), nil
}

// write sends one datagram. The network is locked.
func (c *Conn) write(b []byte, to netip.AddrPort, now time.Duration) error {
	if err := c.writable(now); err != nil {
		return err
	}
	to, err := c.destination(to)
	if err != nil {
		return err
	}
	if len(b) > maxPayload(to.Addr()) {
		return os.NewSyscallError("sendto", syscall.EMSGSIZE)
	}
	n := c.network
	n.send(c, n.chain.flows.get(flowKey{c.local, to}), b, now)
	return nil
}

// writable returns why c cannot write, or nil.
func (c *Conn) writable(now time.Duration) error {
	switch {
	case c.closed:
		return net.ErrClosed
	case c.writeDeadline <= now:
		return os.ErrDeadlineExceeded
	}
	return nil
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
	delete(n.conns.open, c.local)
	n.heap.remove(&c.deadline)
	c.wakeAll(net.ErrClosed)
	for c.queue.count > 0 {
		n.pool.put(c.queue.pop())
	}
	return nil
}

// SetDeadline sets the read and the write deadline.
func (c *Conn) SetDeadline(t time.Time) error {
	return c.setDeadline(t, true, true)
}

// SetReadDeadline sets the time from which on reads fail with
// [os.ErrDeadlineExceeded], those under way included, until another is set.
// The zero time is none.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(t, true, false)
}

// SetWriteDeadline sets the time from which on writes fail. They never wait.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(t, false, true)
}

func (c *Conn) setDeadline(t time.Time, read, write bool) error {
	n := c.network
	now := n.enter()
	defer n.leave()
	if c.closed {
		return c.opError("set", nil, net.ErrClosed)
	}
	at := never
	if !t.IsZero() {
		at = t.Sub(n.start)
	}
	if write {
		c.writeDeadline = at
	}
	if read {
		c.setReadDeadline(at, now)
	}
	return nil
}

// SetReadBuffer sets how many bytes may wait to be read; each datagram counts
// its payload and 256 more. What exceeds it is dropped. The default is
// 212992, as on Linux. As there, one datagram always fits.
func (c *Conn) SetReadBuffer(bytes int) error {
	c.network.enter()
	defer c.network.leave()
	switch {
	case c.closed:
		return c.opError("set", nil, net.ErrClosed)
	case bytes < 0:
		return c.opError("set", nil, syscall.EINVAL)
	}
	c.queue.limit = bytes
	return nil
}

// SetWriteBuffer changes nothing: a write never waits for buffer space.
func (c *Conn) SetWriteBuffer(bytes int) error {
	c.network.enter()
	defer c.network.leave()
	switch {
	case c.closed:
		return c.opError("set", nil, net.ErrClosed)
	case bytes < 0:
		return c.opError("set", nil, syscall.EINVAL)
	}
	return nil
}
