package lossy

import (
	"net"
	"net/netip"
	"os"
	"time"
)

// ReadFrom reads one datagram. The address is a new *net.UDPAddr.
func (c *Conn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// ReadFromUDPAddrPort is ReadFrom without an allocation.
func (c *Conn) ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error) {
	c.network.enter()
	if err := c.readable(); err != nil {
		c.network.leave()
		return 0, netip.AddrPort{}, c.opError("read", nil, err)
	}
	if c.queue.count > 0 {
		n, from = c.take(b)
		c.network.leave()
		return n, from, nil
	}
	return c.wait(b)
}

// ReadBatch waits for a datagram, and returns it and as many of those that
// have arrived since as bufs has room for: sizes[i] bytes from from[i] in
// bufs[i]. Each buffer holds one datagram: segments[i] is set to 0. A Conn has
// one address: local[i], if local is not nil, is set to the zero Addr.
func (c *Conn) ReadBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr) (n int, err error) {
	if len(bufs) == 0 {
		return 0, nil
	}
	c.network.enter()
	if err := c.readable(); err != nil {
		c.network.leave()
		return 0, c.opError("read", nil, err)
	}
	if c.queue.count == 0 {
		sizes[0], from[0], err = c.wait(bufs[0])
		if err != nil {
			return 0, err
		}
		n = 1
		c.network.enter()
	}
	for n < len(bufs) && c.queue.count > 0 {
		sizes[n], from[n] = c.take(bufs[n])
		n++
	}
	c.network.leave()
	clear(segments[:min(n, len(segments))])
	clear(local)
	return n, nil
}

// take moves the oldest datagram of the queue into b.
func (c *Conn) take(b []byte) (n int, from netip.AddrPort) {
	p := c.queue.pop()
	n, from = copy(b, p.payload), p.flow.from
	c.network.pool.put(p)
	return n, from
}

// SetDeadline sets the read and the write deadline.
func (c *Conn) SetDeadline(t time.Time) error {
	return c.set(func(now time.Duration) error {
		at := c.network.clock.deadline(t)
		c.setReadDeadline(at, now)
		c.writeDeadline = at
		return nil
	})
}

// SetReadDeadline sets the time from which on reads fail with
// [os.ErrDeadlineExceeded], those under way included, until another is set.
// The zero time is none.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.set(func(now time.Duration) error {
		c.setReadDeadline(c.network.clock.deadline(t), now)
		return nil
	})
}

// SetWriteDeadline sets the time from which on writes fail with
// [os.ErrDeadlineExceeded]. The zero time is none.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.set(func(time.Duration) error {
		c.writeDeadline = c.network.clock.deadline(t)
		return nil
	})
}

// setReadDeadline sets the read deadline, which may be never.
func (c *Conn) setReadDeadline(at, now time.Duration) {
	c.network.heap.remove(&c.readDeadline)
	c.expired = false
	switch {
	case at <= now:
		c.expire()
	case at != never:
		c.readDeadline.at = at
		c.network.heap.push(&c.readDeadline)
	}
}

// expire fails all reads until another deadline is set.
func (c *Conn) expire() {
	c.expired = true
	c.wakeAll(os.ErrDeadlineExceeded)
}
