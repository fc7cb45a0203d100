package lossy

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
)

// Wrap returns a conn that reads and writes through pc and impairs what
// passes. A Model given directly applies to packets that are written; [Ingress] and
// [Both] name the other direction. Without models and without a trace Wrap returns pc
// itself.
//
// A packet without delay is written by the caller's own call. Delayed packets
// are copied and leave at their times, in the order of these, by one timer.
// A packet is judged when a read takes it from pc, and its delay begins
// then. At most 64 MiB are held in each direction; what exceeds that is
// dropped and counted.
//
// The conn owns pc: set deadlines on the conn, and close the conn. Closing
// it fails its callers at once. Packets that were written before still
// leave at their times, and pc is closed after the last of them. A deadline
// for writing is checked when a write begins.
//
// The conn forwards SetReadBuffer and SetWriteBuffer, and [StatsOf] tells what
// it did. It has batch methods, which use those of pc if it has some, and no
// SyscallConn: a program that looks for one must not get around the models.
func Wrap(pc net.PacketConn, options ...Option) net.PacketConn {
	c := newConfig("Wrap", false, options)
	if pc == nil {
		panic("lossy: Wrap: the net.PacketConn is nil")
	}
	if len(c.egress) == 0 && len(c.ingress) == 0 && c.watch() == nil && !c.counted {
		return pc
	}
	if !c.seeded {
		c.seed = rand.Uint64()
	}
	return newWrapped(pc, c)
}

// wrapped is what Wrap returns. It embeds nothing of the conn that it wraps:
// no method of that gets out by accident.
type wrapped struct {
	inner   inner
	clock   clock
	counted bool // where nothing is judged

	mu     sync.Mutex
	closed bool
	pool   pool
	turns  int // numbers the parcels, to keep the order of equal times

	out outgoing
	in  incoming
}

var (
	_ net.PacketConn       = (*wrapped)(nil)
	_ datagram.BatchReader = (*wrapped)(nil)
	_ datagram.BatchWriter = (*wrapped)(nil)
	_ datagram.Offloader   = (*wrapped)(nil)
)

func newWrapped(pc net.PacketConn, c *config) *wrapped {
	w := &wrapped{clock: startClock()}
	w.inner.open(pc)
	watch := c.watch()
	traced := watch != nil
	shared := make(map[*part]judge)
	chainOf := func(parts []*part, d Direction) chain {
		return chain{
			flows:     flowTable{parts: parts, shared: shared, seed: seedByOrder(c.seed, d)},
			watch:     watch,
			direction: d,
			clock:     w.clock,
		}
	}
	w.counted = c.counted
	w.out.judged = traced || len(c.egress) > 0
	w.out.timeless = !traced && !slices.ContainsFunc(c.egress, func(p *part) bool { return !p.timeless })
	w.out.chain = chainOf(c.egress, Outgoing)
	w.out.deadline, w.out.alarm = never, never
	w.in.judged = traced || len(c.ingress) > 0
	w.in.chain = chainOf(c.ingress, Incoming)
	w.in.deadline, w.in.innerDeadline = never, never
	w.in.turn.L = &w.mu
	return w
}

// LocalAddr returns that of the wrapped conn.
func (w *wrapped) LocalAddr() net.Addr { return w.inner.pc.LocalAddr() }

// Stats is what StatsOf returns.
func (w *wrapped) Stats() (egress, ingress Stats) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.stats, w.in.stats
}

// Close closes the conn; see Wrap.
func (w *wrapped) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return w.inner.opError("close", nil, net.ErrClosed)
	}
	w.closed = true
	w.forgetArrivals()
	if w.out.sending || w.out.heap.next() != never {
		// The timer's goroutine closes the inner conn. The goroutine that
		// reads it must return now, and wakes those that wait for their turn.
		w.inner.pc.SetReadDeadline(time.Unix(1, 0))
		w.mu.Unlock()
		return nil
	}
	w.mu.Unlock()
	return w.inner.pc.Close()
}

// SetDeadline sets the read and the write deadline.
func (w *wrapped) SetDeadline(t time.Time) error {
	if err := w.SetReadDeadline(t); err != nil {
		return err
	}
	return w.SetWriteDeadline(t)
}

// SetReadBuffer sets that of the wrapped conn.
func (w *wrapped) SetReadBuffer(bytes int) error {
	if c, ok := w.inner.pc.(interface{ SetReadBuffer(int) error }); ok {
		return c.SetReadBuffer(bytes)
	}
	return w.inner.opError("set", nil, errors.ErrUnsupported)
}

// SetWriteBuffer sets that of the wrapped conn.
func (w *wrapped) SetWriteBuffer(bytes int) error {
	if c, ok := w.inner.pc.(interface{ SetWriteBuffer(int) error }); ok {
		return c.SetWriteBuffer(bytes)
	}
	return w.inner.opError("set", nil, errors.ErrUnsupported)
}

// Overhead returns that of the wrapped conn: the number of bytes that it adds to a packet.
func (w *wrapped) Overhead() int {
	if c, ok := w.inner.pc.(interface{ Overhead() int }); ok {
		return c.Overhead()
	}
	return 0
}

// newParcel returns a parcel of flow f for the heap of one direction, given
// the packet's payload and the fate of this copy of it. The caller holds the
// lock.
func (w *wrapped) newParcel(f *flow, number int, fate *fate, payload []byte, addr net.Addr, local netip.Addr, now time.Duration) *parcel {
	p := w.pool.get(fate.bytes(payload))
	p.flow, p.n, p.copy, p.at = f, f.n, number, addDelay(now, fate.delay)
	p.addr, p.local = addr, local
	p.corrupted = fate.altered != nil
	w.turns++
	p.turn = w.turns
	return p
}

// udpAddrPort returns the address as the key of a flow, and whether it is a
// UDP address at all.
func udpAddrPort(addr net.Addr) (netip.AddrPort, bool) {
	a, ok := addr.(*net.UDPAddr)
	if !ok || a == nil {
		return netip.AddrPort{}, false
	}
	return unmap(a.AddrPort()), true
}

// unmap gives an IPv4 address its 4-byte form.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
