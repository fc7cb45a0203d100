package lossy

import (
	"net"
	"net/netip"
	"os"
	"time"
)

// A reader is a goroutine that waits for a datagram. Whoever wakes it has
// already put the datagram into its buffer: what a reader gets is decided at
// the instant of the arrival, not when the goroutine runs again.
type reader struct {
	buf  []byte
	n    int
	from netip.AddrPort
	err  error

	// A channel, because waiting for one of the same bubble lets a synctest
	// bubble's time go on.
	wake chan struct{}
}

// read reads one datagram.
func (c *Conn) read(b []byte) (n int, from netip.AddrPort, err error) {
	c.network.enter()
	if err := c.readable(); err != nil {
		c.network.leave()
		return 0, netip.AddrPort{}, err
	}
	if c.queue.count > 0 {
		n, from = c.take(b)
		c.network.leave()
		return n, from, nil
	}
	r := c.newReader(b)
	c.waiting = append(c.waiting, r)
	c.network.leave()

	<-r.wake
	n, from, err = r.n, r.from, r.err
	r.buf = nil
	c.spare.Store(r)
	return n, from, err
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

// take moves the oldest datagram of the queue into b.
func (c *Conn) take(b []byte) (n int, from netip.AddrPort) {
	p := c.queue.pop()
	n, from = copy(b, p.payload), p.from
	c.network.pool.put(p)
	return n, from
}

func (c *Conn) newReader(b []byte) *reader {
	r := c.spare.Swap(nil)
	if r == nil {
		r = &reader{wake: make(chan struct{}, 1)}
	}
	r.buf = b
	return r
}

// accept takes a parcel that arrives, and reports whether there was room.
func (c *Conn) accept(p *parcel) bool {
	if len(c.waiting) == 0 {
		if !c.queue.push(p) {
			return false
		}
		p.sender.inFlight -= p.size()
		return true
	}
	r := c.waiting[0]
	c.waiting = c.waiting[:copy(c.waiting, c.waiting[1:])]
	r.n, r.from, r.err = copy(r.buf, p.payload), p.from, nil
	r.wake <- struct{}{}
	c.network.discard(p)
	return true
}

// wakeAll fails all readers.
func (c *Conn) wakeAll(err error) {
	for i, r := range c.waiting {
		c.waiting[i] = nil
		r.n, r.from, r.err = 0, netip.AddrPort{}, err
		r.wake <- struct{}{}
	}
	c.waiting = c.waiting[:0]
}

// setReadDeadline sets the read deadline, which is never for none.
func (c *Conn) setReadDeadline(at, now time.Duration) {
	c.network.heap.remove(&c.deadline)
	c.expired = false
	switch {
	case at <= now:
		c.expire()
	case at != never:
		c.deadline.at = at
		c.network.heap.push(&c.deadline)
	}
}

// expire fails all reads from now on.
func (c *Conn) expire() {
	c.expired = true
	c.wakeAll(os.ErrDeadlineExceeded)
}
