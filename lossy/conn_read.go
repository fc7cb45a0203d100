package lossy

import (
	"net"
	"net/netip"
	"os"
	"slices"
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

// A reader is a goroutine that waits for a datagram. Whoever wakes it has
// already put the datagram into its buffer: what a reader gets is decided at
// the instant of the arrival, not when the goroutine runs again.
type reader struct {
	buf  []byte
	n    int
	from netip.AddrPort
	err  error

	// A channel, because waiting for one of the same bubble lets the time of
	// a synctest bubble go on.
	wake chan struct{}
}

// wait unlocks the network and waits for a datagram.
func (c *Conn) wait(b []byte) (n int, from netip.AddrPort, err error) {
	r := c.spare.Swap(nil)
	if r == nil {
		r = &reader{wake: make(chan struct{}, 1)}
	}
	r.buf = b
	c.waiting = append(c.waiting, r)
	c.network.leave()

	<-r.wake
	n, from, err = r.n, r.from, r.err
	r.buf = nil
	c.spare.Store(r)
	if err != nil {
		err = c.opError("read", nil, err)
	}
	return n, from, err
}

// room reports whether an arriving parcel can be accepted.
func (c *Conn) room(p *parcel) bool {
	return len(c.waiting) > 0 || c.queue.room(p)
}

// accept gives an arriving parcel to the reader that has waited longest, or
// queues it.
func (c *Conn) accept(p *parcel) {
	if len(c.waiting) == 0 {
		c.queue.push(p)
		return
	}
	r := c.waiting[0]
	c.waiting = slices.Delete(c.waiting, 0, 1)
	r.n, r.from, r.err = copy(r.buf, p.payload), p.flow.from, nil
	r.wake <- struct{}{}
	c.network.pool.put(p)
}

// wakeAll fails all readers.
func (c *Conn) wakeAll(err error) {
	for _, r := range c.waiting {
		r.n, r.from, r.err = 0, netip.AddrPort{}, err
		r.wake <- struct{}{}
	}
	clear(c.waiting)
	c.waiting = c.waiting[:0]
}

// defaultReadBuffer is Linux's net.core.rmem_default.
const defaultReadBuffer = 212992

// A queue has the datagrams that wait to be read, oldest first.
type queue struct {
	limit int // bytes
	bytes int
	ring[*parcel]
}

// room reports whether p may be added. One parcel always may.
func (q *queue) room(p *parcel) bool {
	return q.count == 0 || q.bytes+p.size() <= q.limit
}

func (q *queue) push(p *parcel) {
	q.ring.push(p)
	q.bytes += p.size()
}

func (q *queue) pop() *parcel {
	p := q.ring.pop()
	q.bytes -= p.size()
	return p
}
