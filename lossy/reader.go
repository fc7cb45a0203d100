package lossy

import (
	"net/netip"
	"slices"
)

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
