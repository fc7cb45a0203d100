package sealed

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// A conn is what Wrap returns. It embeds nothing of the inner conn, so that no method gets
// around the seal.
type conn struct {
	inner inner
	trace *Trace
	now   func() time.Time

	mu     sync.Mutex // for what follows; it is not held during a read or a write
	sealer sealer
	opener opener
	stats  Stats
	empty  []emptyPacket // opened, and still to be delivered

	spareOut atomic.Pointer[outbox]
	spareIn  atomic.Pointer[inbox]
}

// A pollConn is a conn whose inner conn can be read without waiting.
type pollConn struct{ *conn }

var (
	_ net.PacketConn       = (*conn)(nil)
	_ datagram.BatchReader = (*conn)(nil)
	_ datagram.BatchWriter = (*conn)(nil)
	_ datagram.Offloader   = (*conn)(nil)
	_ datagram.BatchPoller = (*pollConn)(nil)
)

// maxDatagram is the size of a buffer that holds any datagram.
const maxDatagram = 1 << 16

// ReadFrom reads the next packet that opens.
func (c *conn) ReadFrom(b []byte) (int, net.Addr, error) {
	x := c.takeInbox(1)
	defer c.spareIn.Store(x)
	for {
		n, addr, err := c.inner.pc.ReadFrom(x.bufs[0])
		if err != nil {
			return 0, addr, err
		}
		c.mu.Lock()
		payload, ok := c.open(b[:0:len(b)], x.bufs[0][:n], addr, netip.AddrPort{}, c.now())
		if ok {
			n = deliver(b, payload)
			c.mu.Unlock()
			return n, addr, nil
		}
		c.mu.Unlock()
	}
}

// deliver makes the payload the beginning of b, of which it may share the memory, and
// returns its length there.
func deliver(b, payload []byte) int {
	if len(b) > 0 && len(payload) > 0 && &b[0] == &payload[0] {
		return len(payload)
	}
	return copy(b, payload)
}

// open opens a packet into the spare capacity of dst, and counts and reports it. The source
// is addr, or from if addr is nil. The conn is locked, and the payload is valid until it is
// unlocked, unless it fits dst.
func (c *conn) open(dst, packet []byte, addr net.Addr, from netip.AddrPort, now time.Time) (payload []byte, ok bool) {
	payload, reason, skew := c.opener.open(dst, packet, now)
	if reason == 0 {
		c.stats.Opened++
		return payload, true
	}
	c.stats.refuse(reason)
	if c.trace != nil && c.trace.Refused != nil {
		if addr != nil {
			from = addrPort(addr)
		}
		c.trace.Refused(Refusal{Addr: from, Reason: reason, Skew: skew})
	}
	return nil, false
}

// WriteTo seals a packet and writes it.
func (c *conn) WriteTo(b []byte, addr net.Addr) (int, error) {
	box := c.takeOutbox()
	defer c.putOutbox(box)
	box.grow(len(b) + overhead)
	c.mu.Lock()
	err := c.begin()
	if err == nil {
		box.seal(&c.sealer, b)
		c.stats.Sealed++
	}
	c.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if _, err := c.inner.pc.WriteTo(box.bufs[0], addr); err != nil {
		return 0, err
	}
	return len(b), nil
}

// begin prepares the sealer for a batch. The conn is locked.
func (c *conn) begin() error {
	id, drawn, err := c.sealer.begin(c.now())
	if drawn {
		c.opener.senders.own.add(id)
	}
	return err
}

// Format prints the address only: fmt would print what the fields hold.
func (c *conn) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "sealed conn at %v", c.LocalAddr()) }

// Close closes the inner conn.
func (c *conn) Close() error { return c.inner.pc.Close() }

// LocalAddr returns the address of the inner conn.
func (c *conn) LocalAddr() net.Addr { return c.inner.pc.LocalAddr() }

// SetDeadline sets the deadlines of the inner conn.
func (c *conn) SetDeadline(t time.Time) error { return c.inner.pc.SetDeadline(t) }

// SetReadDeadline sets the read deadline of the inner conn.
func (c *conn) SetReadDeadline(t time.Time) error { return c.inner.pc.SetReadDeadline(t) }

// SetWriteDeadline sets the write deadline of the inner conn.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.inner.pc.SetWriteDeadline(t) }

// SetReadBuffer sets the receive buffer of the inner conn.
func (c *conn) SetReadBuffer(bytes int) error {
	if s, ok := c.inner.pc.(interface{ SetReadBuffer(int) error }); ok {
		return s.SetReadBuffer(bytes)
	}
	return errors.ErrUnsupported
}

// SetWriteBuffer sets the send buffer of the inner conn.
func (c *conn) SetWriteBuffer(bytes int) error {
	if s, ok := c.inner.pc.(interface{ SetWriteBuffer(int) error }); ok {
		return s.SetWriteBuffer(bytes)
	}
	return errors.ErrUnsupported
}

// Buffers returns the sizes of the buffers of the inner conn, 0 if they are not known.
func (c *conn) Buffers() (read, write int) { return datagram.Buffers(c.inner.pc) }

// Overhead returns the number of bytes by which a sealed packet is longer than its payload,
// here and in the inner conn.
func (c *conn) Overhead() int {
	n := overhead
	if o, ok := c.inner.pc.(interface{ Overhead() int }); ok {
		n += o.Overhead()
	}
	return n
}

func (c *conn) sealedStats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Senders = len(c.opener.senders.byKey)
	return s
}
