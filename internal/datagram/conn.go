package datagram

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"
)

const (
	defaultReadSize = 65535
	defaultBatch    = 32
	mostBatch       = 1024 // what Linux takes in one call (UIO_MAXIOV)
)

// A Config says how a [Conn] reads and writes. The zero value works.
type Config struct {
	// ReadSize is the length of the longest datagram wanted, 65535 by default. A
	// longer one is delivered cut off to ReadSize+1 bytes: it can be told by its
	// length and counted as bad, and is never taken for a datagram of ReadSize bytes.
	// Batch*(ReadSize+1) bytes are allocated by the first Read, so a
	// protocol that knows its packets' size does well to say it.
	ReadSize int

	// Batch is how many packets go in one system call, 32 by default, 1024 at most.
	Batch int
}

func (c *Config) readSize() int {
	if c.ReadSize <= 0 {
		return defaultReadSize
	}
	return c.ReadSize
}

func (c *Config) batch() int {
	if c.Batch <= 0 {
		return defaultBatch
	}
	return min(c.Batch, mostBatch)
}

// A Conn reads and writes the datagrams of a net.PacketConn for one call of a
// protocol. It is made by [Open] and ends with [Conn.Release].
//
// One goroutine may read while another writes; neither method is for two at once.
type Conn struct {
	ctx   context.Context
	watch watch
	local netip.AddrPort
	in    reader
	out   writer
	pkts  []Packet // what the last Read returned
}

// A reader reads packets by one of the ways there are.
type reader interface {
	// read waits for a packet, and appends it and what came with it to pkts. It obeys
	// the conn's read deadline. It may return nothing, and no error, if what it
	// read was unusable.
	read(pkts []Packet) ([]Packet, error)
}

// A poller is a reader that can look for packets without waiting.
type poller interface {
	// poll is read, but for the deadline, which it ignores, and the waiting:
	// where nothing has arrived it returns nothing.
	poll(pkts []Packet) ([]Packet, error)
}

// A writer writes packets by one of the ways there are. n were sent; err is about
// pkts[n].
type writer interface {
	write(pkts []Packet) (n int, err error)
}

// Open ties pc to ctx for one call of a protocol: when ctx ends, a blocked
// [Conn.Read] returns.
//
// The caller keeps owning pc, and closes it, after Release. Until then it leaves pc's
// deadlines and reading alone: Open clears the read deadline that was set before.
func Open(ctx context.Context, pc net.PacketConn, cfg Config) *Conn {
	c := &Conn{ctx: ctx, local: addrPort(pc.LocalAddr())}
	c.in, c.out = paths(pc, &cfg)
	c.watch.start(ctx, pc)
	return c
}

// Release ends what Open began: the conn is not tied to the context any more, and its
// deadlines are cleared. It waits for whatever of ours is still under way. The
// conn stays open. A Conn is of no use after Release; a second Release does nothing.
func (c *Conn) Release() { c.watch.stop() }

// LocalAddr is the conn's own address, zero if it has none that is an IP address
// and port.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

const (
	// grace is how long a Read waits whose deadline has passed already, where the conn
	// has no way to look for packets without waiting.
	grace = 100 * time.Microsecond

	// A read that fails and may succeed the next time is repeated at once eagerTries
	// times, then once in every pause, and patientTries times in all.
	eagerTries   = 16
	patientTries = 1024
	pause        = time.Millisecond
)

// Read waits for a packet and returns it with what else has arrived, in order:
// at least one packet unless there is an error. The slice and the bytes in
// it are the caller's until the next Read. Where deadline is zero Read waits as long as
// it takes; otherwise it returns os.ErrDeadlineExceeded (wrapped) when it passes.
//
// A deadline that has passed already does not hide what has arrived: a loop that is
// behind with its timers still gets its packets. (A net.PacketConn by itself
// would fail at once, and such a loop would send again what has been acknowledged.)
//
// When the context ends Read returns context.Cause at once, without looking at what
// has arrived. Errors about earlier packets (an ICMP message
// came back) are skipped; so are datagrams with no IP address and port to answer to. Any
// other error is the conn's, and repeating the call is of no use.
func (c *Conn) Read(deadline time.Time) ([]Packet, error) {
	late := !deadline.IsZero() && !time.Now().Before(deadline)
	for tries := 1; ; tries++ {
		pkts, err := c.try(deadline, late)
		switch {
		case len(pkts) > 0:
			return pkts, nil
		case c.ctx.Err() != nil:
			return nil, context.Cause(c.ctx)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, err
		case err != nil && (!passing(err) || tries >= patientTries):
			return nil, err
		case tries >= patientTries:
			return nil, io.ErrNoProgress
		case tries >= eagerTries:
			if !c.rest(deadline) {
				return nil, os.ErrDeadlineExceeded
			}
		}
	}
}

// try reads once.
func (c *Conn) try(deadline time.Time, late bool) ([]Packet, error) {
	if err := c.ctx.Err(); err != nil {
		return nil, err
	}
	if late {
		return c.tryLate()
	}
	for {
		if err := c.watch.arm(deadline); err != nil {
			return nil, err
		}
		pkts, err := c.in.read(c.pkts[:0])
		c.keep(pkts)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !c.watch.fires(deadline) {
			return pkts, err
		}
	}
}

// tryLate reads what is there.
func (c *Conn) tryLate() ([]Packet, error) {
	if p, ok := c.in.(poller); ok {
		pkts, err := p.poll(c.pkts[:0])
		c.keep(pkts)
		if len(pkts) == 0 && err == nil {
			err = os.ErrDeadlineExceeded
		}
		return pkts, err
	}
	if err := c.watch.set(time.Now().Add(grace)); err != nil {
		return nil, err
	}
	pkts, err := c.in.read(c.pkts[:0])
	c.keep(pkts)
	return pkts, err
}

func (c *Conn) keep(pkts []Packet) {
	if pkts != nil {
		c.pkts = pkts
	}
}

// rest keeps a conn that fails again and again from taking a whole processor. It
// reports whether the deadline is still to come.
func (c *Conn) rest(deadline time.Time) bool {
	d := pause
	if !deadline.IsZero() {
		d = min(d, time.Until(deadline))
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.ctx.Done():
	}
	return deadline.IsZero() || time.Now().Before(deadline)
}

// Write sends pkts in order. n were sent; err, nil if that is all of them, is about
// pkts[n]. Unless err is [Fatal] the caller may count that packet as lost and go on with
// pkts[n+1:]. Write keeps nothing of pkts.
//
// Write may wait for room in the socket's buffer, but no longer than a
// second after the context has ended. It does not fail because of
// the context: a protocol can still say goodbye.
func (c *Conn) Write(pkts []Packet) (n int, err error) {
	retried := -1
	for n < len(pkts) {
		k, err := c.out.write(pkts[n:])
		n += k
		if err == nil {
			continue
		}
		// What ICMP said of an earlier packet is reported by the next call, whatever
		// that is, which then does nothing. Once for each packet: it may come again.
		if passing(err) && !TooLong(err) && retried < n {
			retried = n
			continue
		}
		return n, err
	}
	return n, nil
}
