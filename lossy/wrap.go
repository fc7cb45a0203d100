package lossy

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// Wrap returns a conn that reads and writes through pc and impairs what
// passes. A Model given by itself applies to what is written; [Ingress] and
// [Both] name the other direction. Without models and without a trace there is
// nothing to do, and Wrap returns pc itself.
//
// A packet without delay is written by the caller's own call. Delayed packets
// are copied and leave at their time, in the order of their times, by one
// timer. What is read is judged when a ReadFrom takes it from pc, and a delay
// begins then. At most 64 MiB are held in each direction; what exceeds that is
// dropped and counted.
//
// The conn owns pc: deadlines and Close are those of the conn. Closing it
// fails its callers at once, but packets that were written before still leave
// at their time, and pc is closed after the last of them.
//
// The conn forwards SetReadBuffer and SetWriteBuffer, and [StatsOf] tells what
// it did. It has no SyscallConn: a program that looks for one must not get
// around the models.
func Wrap(pc net.PacketConn, options ...Option) net.PacketConn {
	c := newConfig("Wrap", false, options)
	if pc == nil {
		panic("lossy: Wrap: the net.PacketConn is nil")
	}
	if len(c.egress) == 0 && len(c.ingress) == 0 && c.trace.Judged == nil {
		return pc
	}
	if !c.seeded {
		c.seed = rand.Uint64()
	}
	return newWrapped(pc, c)
}

// wrapped is what Wrap returns. It embeds nothing of pc: no method of it gets
// out by accident.
type wrapped struct {
	pc     net.PacketConn
	start  time.Time // of the clock
	local  netip.AddrPort
	udp    bool // whether pc's addresses are UDP addresses
	judges struct{ egress, ingress bool }

	mu      sync.Mutex
	closed  bool
	egress  chain
	ingress chain
	pool    pool

	// Of the writers.
	writeDeadline time.Time
	departures    heap
	departing     int // bytes in departures
	seq           int // numbers the parcels, to keep the order of equal times
	timer         *time.Timer
	alarm         time.Duration // when the timer goes off, or never
	sending       bool          // the timer's goroutine is writing

	// Of the readers: one of them reads pc, the others wait.
	turn          sync.Cond
	reading       bool
	readDeadline  time.Time // the caller's
	innerDeadline time.Time // that of pc, earlier if a packet is due before
	arrivals      heap
	arriving      int // bytes in arrivals
	scratch       []byte
}

func newWrapped(pc net.PacketConn, c *config) *wrapped {
	w := &wrapped{pc: pc, start: time.Now(), alarm: never}
	w.turn.L = &w.mu
	if a, ok := pc.LocalAddr().(*net.UDPAddr); ok {
		w.udp = true
		w.local = unmap(a.AddrPort())
	}
	traced := c.trace.Judged != nil
	w.judges.egress = len(c.egress) > 0 || traced
	w.judges.ingress = len(c.ingress) > 0 || traced
	shared := make(map[*part]judge)
	w.egress = newChain(c.egress, c, Outgoing, w.start, shared)
	w.ingress = newChain(c.ingress, c, Incoming, w.start, shared)
	return w
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// LocalAddr returns that of the wrapped conn.
func (w *wrapped) LocalAddr() net.Addr { return w.pc.LocalAddr() }

// Stats is documented at StatsOf.
func (w *wrapped) Stats() (egress, ingress Stats) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.egress.stats, w.ingress.stats
}

// Close is documented at Wrap.
func (w *wrapped) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return w.opError("close", nil, net.ErrClosed)
	}
	w.closed = true
	w.turn.Broadcast()
	w.dropArrivals()
	if w.sending || w.departures.next() != never {
		// The timer's goroutine closes pc. Its reader must return now.
		w.pc.SetReadDeadline(longAgo())
		w.mu.Unlock()
		return nil
	}
	w.mu.Unlock()
	return w.pc.Close()
}

// dropArrivals forgets what nobody will read.
func (w *wrapped) dropArrivals() {
	for w.arrivals.next() != never {
		w.pool.put(w.arrivals.pop().parcel)
	}
	w.arriving = 0
}

// longAgo is a deadline that has passed in any clock.
func longAgo() time.Time { return time.Unix(1, 0) }

// SetDeadline sets the read and the write deadline.
func (w *wrapped) SetDeadline(t time.Time) error {
	if err := w.SetReadDeadline(t); err != nil {
		return err
	}
	return w.SetWriteDeadline(t)
}

// SetWriteDeadline keeps the deadline from pc if a delayed packet could meet
// it there: what has been scheduled leaves at its time.
func (w *wrapped) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.opError("set", nil, net.ErrClosed)
	}
	w.writeDeadline = t
	return nil
}

// SetReadBuffer sets that of the wrapped conn, if it has one.
func (w *wrapped) SetReadBuffer(bytes int) error {
	if c, ok := w.pc.(interface{ SetReadBuffer(int) error }); ok {
		return c.SetReadBuffer(bytes)
	}
	return w.opError("set", nil, os.ErrInvalid)
}

// SetWriteBuffer sets that of the wrapped conn, if it has one.
func (w *wrapped) SetWriteBuffer(bytes int) error {
	if c, ok := w.pc.(interface{ SetWriteBuffer(int) error }); ok {
		return c.SetWriteBuffer(bytes)
	}
	return w.opError("set", nil, os.ErrInvalid)
}

// opError is what the net package wraps the errors of a socket in.
func (w *wrapped) opError(op string, addr net.Addr, err error) error {
	local := w.pc.LocalAddr()
	network := "udp"
	if local != nil {
		network = local.Network()
	}
	return &net.OpError{Op: op, Net: network, Source: local, Addr: addr, Err: err}
}
