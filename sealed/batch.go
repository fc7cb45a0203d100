package sealed

import (
	"net/netip"
	"time"
)

// An outbox holds sealed packets before they are written.
type outbox struct {
	bufs   [][]byte
	memory []byte
}

// takeOutbox returns an empty outbox.
func (c *conn) takeOutbox() *outbox {
	if x := c.spareOut.Swap(nil); x != nil {
		return x
	}
	return &outbox{}
}

func (c *conn) putOutbox(x *outbox) {
	x.bufs, x.memory = x.bufs[:0], x.memory[:0]
	c.spareOut.Store(x)
}

// grow makes room for sealed packets of a total size. The outbox is empty.
func (x *outbox) grow(size int) {
	if cap(x.memory) < size {
		x.memory = make([]byte, 0, size)
	}
}

// seal adds a sealed packet, for which there is room.
func (x *outbox) seal(s *sealer, payload []byte) {
	start := len(x.memory)
	x.memory = s.seal(x.memory, payload)
	x.bufs = append(x.bufs, x.memory[start:])
}

// WriteBatch seals bufs[i] and sends it to to[i], in order, each as one packet. It returns
// how many were sent; if those are not all, the error is about the next.
func (c *conn) WriteBatch(bufs [][]byte, to []netip.AddrPort, local []netip.Addr) (n int, err error) {
	if len(bufs) == 0 {
		return 0, nil
	}
	box := c.takeOutbox()
	defer c.putOutbox(box)
	size := 0
	for _, b := range bufs {
		size += len(b) + overhead
	}
	box.grow(size)
	if err := c.sealAll(box, bufs); err != nil {
		return 0, err
	}
	return c.inner.writeBatch(box.bufs, to[:len(bufs)], local)
}

// sealAll seals packets, under one salt unless they need two sender ids.
func (c *conn) sealAll(box *outbox, bufs [][]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, b := range bufs {
		if i == 0 || c.sealer.full() {
			if err := c.begin(); err != nil {
				return err
			}
		}
		box.seal(&c.sealer, b)
	}
	c.stats.Sealed += len(bufs)
	return nil
}

// An inbox holds datagrams that were read from the inner conn.
type inbox struct {
	bufs            [][]byte
	sizes, segments []int
	from            []netip.AddrPort
}

// takeInbox returns an inbox of n buffers. Each holds any datagram: one that is cut off
// cannot be authenticated.
func (c *conn) takeInbox(n int) *inbox {
	x := c.spareIn.Swap(nil)
	if x == nil {
		x = &inbox{}
	}
	if has := cap(x.bufs); has < n {
		all := make([]byte, (n-has)*maxDatagram)
		x.bufs = x.bufs[:has]
		for range n - has {
			x.bufs = append(x.bufs, all[:maxDatagram:maxDatagram])
			all = all[maxDatagram:]
		}
		x.sizes, x.segments, x.from = make([]int, n), make([]int, n), make([]netip.AddrPort, n)
	}
	x.bufs = x.bufs[:n]
	x.sizes, x.segments, x.from = x.sizes[:n], x.segments[:n], x.from[:n]
	return x
}

// ReadBatch waits for a packet that opens, and returns it with others that are there:
// sizes[i] bytes from from[i] in bufs[i]. Where segments[i] is positive, they are several
// packets of that size, of which the last may be shorter.
func (c *conn) ReadBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr) (int, error) {
	return c.readBatch(bufs, sizes, segments, from, local, true)
}

// PollBatch is like ReadBatch, but it ignores the read deadline and does not wait: it
// returns 0 and no error if no packet is there.
func (c *pollConn) PollBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr) (int, error) {
	return c.readBatch(bufs, sizes, segments, from, local, false)
}

// Offload sets whether WriteBatch may pass packets to the system in one piece, and whether
// ReadBatch may fill a buffer with several packets, if the inner conn has such a choice.
func (c *conn) Offload(write, read bool) (joined bool) {
	if c.inner.offloader == nil {
		return false
	}
	if c.inner.socket {
		c.inner.reading.Lock()
		defer c.inner.reading.Unlock()
		c.inner.writing.Lock()
		defer c.inner.writing.Unlock()
	}
	return c.inner.offloader.Offload(write, read)
}

func (c *conn) readBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr, wait bool) (int, error) {
	if len(bufs) == 0 {
		return 0, nil
	}
	x := c.takeInbox(len(bufs))
	defer c.spareIn.Store(x)
	for {
		out := batch{bufs: bufs, sizes: sizes, segments: segments, from: from, local: local}
		if c.takeEmpty(&out); out.n > 0 {
			return out.n, nil
		}
		n, err := c.inner.readBatch(x, local, wait)
		if n == 0 {
			return 0, err
		}
		c.openAll(&out, x, n)
		if out.n > 0 || !wait {
			return out.n, nil
		}
	}
}

// A batch is the caller's slices, of which the first n have been filled.
type batch struct {
	bufs            [][]byte
	sizes, segments []int
	from            []netip.AddrPort
	local           []netip.Addr
	n               int
}

// add fills the next slot, whose buffer has the payload already.
func (b *batch) add(size, segment int, from netip.AddrPort, local netip.Addr) {
	b.sizes[b.n], b.segments[b.n], b.from[b.n] = size, segment, from
	if b.local != nil {
		b.local[b.n] = local
	}
	b.n++
}

// An emptyPacket is a packet without payload that came joined with others: it has no place
// in a buffer of several packets.
type emptyPacket struct {
	from  netip.AddrPort
	local netip.Addr
}

// takeEmpty delivers empty packets that are left.
func (c *conn) takeEmpty(out *batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.empty) > 0 && out.n < len(out.bufs) {
		out.add(0, 0, c.empty[0].from, c.empty[0].local)
		c.empty = c.empty[1:]
	}
}

// openAll opens the first n datagrams of x into out.
func (c *conn) openAll(out *batch, x *inbox, n int) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range n {
		var local netip.Addr
		if out.local != nil {
			local = out.local[i]
		}
		packet, segment, from := x.bufs[i][:min(x.sizes[i], len(x.bufs[i]))], x.segments[i], x.from[i]
		if segment > 0 && segment < len(packet) {
			c.openJoined(out, packet, segment, from, local, now)
		} else if payload, ok := c.open(out.bufs[out.n][:0:len(out.bufs[out.n])], packet, nil, from, now); ok {
			out.add(deliver(out.bufs[out.n], payload), 0, from, local)
		}
	}
}

// openJoined opens several packets, which all but the last are segment bytes long, into one
// buffer of out.
func (c *conn) openJoined(out *batch, packets []byte, segment int, from netip.AddrPort, local netip.Addr, now time.Time) {
	buf := out.bufs[out.n]
	size := 0
	for len(packets) > 0 {
		packet := packets[:min(segment, len(packets))]
		packets = packets[len(packet):]
		payload, ok := c.open(buf[size:size:len(buf)], packet, nil, from, now)
		switch {
		case !ok:
		case len(payload) == 0:
			c.empty = append(c.empty, emptyPacket{from, local})
		default:
			size += deliver(buf[size:], payload)
		}
	}
	if size > 0 {
		out.add(size, segment-overhead, from, local)
	}
}
