package datagram

import (
	"context"
	"net"
	"net/netip"
	"time"
)

const (
	defaultReadSize = 65535
	defaultBatch    = 32
	mostBatch       = 1024 // what Linux takes in one call (UIO_MAXIOV)
)

// A Config says how a [Conn] reads and writes. The zero value works.
type Config struct {
	// ReadSize is the length of the longest datagram wanted, 65535 by default. A longer
	// one is delivered cut off to ReadSize+1 bytes: it can be told by its length and
	// counted as bad, and is never taken for a datagram of ReadSize bytes.
	// Batch*(ReadSize+1) bytes are allocated by the first Read, so a protocol that
	// knows its packets' size does well to say it.
	ReadSize int

	// Batch is how many packets go in one system call, 32 by default, 1024 at most.
	// With Join it may be 16 where this is less.
	Batch int

	// Join lets the system hand over what arrived from one source in one piece, where
	// it can (UDP_GRO on Linux), for a conn on which much arrives: its buffers are of
	// 64 KiB then, and fewer, but up to 16 where that many packets come at once, as
	// from a peer whose packets cannot be joined. Between Open and Release nobody else
	// may read the conn.
	Join bool

	// NoOffload has each datagram read and written as one. Otherwise datagrams of one
	// length for one destination go to the system in one piece, where it can cut them
	// apart (UDP_SEGMENT on Linux). A filter in the system, unlike the wire, may take
	// such a piece for one packet.
	NoOffload bool

	// Spin is how long a Read looks for packets before it sleeps, as long as that turns
	// out to be of use: for a protocol in lock-step, of which each round trip on a fast
	// network would take longer to wake up from than to make. Between two looks others
	// may have the processor, unless they keep it. It works on sockets, on Linux.
	Spin time.Duration

	// Yield has a Read that follows one of few packets let other processes have the
	// processor before it looks and sleeps, so that more arrive at a time. One that
	// wants the processor for itself may keep it for some milliseconds, but then it is
	// not asked again soon. It works on sockets, on Linux.
	Yield bool
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

// A Conn reads and writes the datagrams of a net.PacketConn for one call of a protocol.
// It is made by [Open] and ends with [Conn.Release].
//
// One goroutine may read while another writes; neither method is for two at once.
type Conn struct {
	ctx   context.Context
	watch watch
	local netip.AddrPort
	in    reader
	out   writer
	undo  func()   // nil, or what Release does to the socket
	pkts  []Packet // what the last Read returned

	spinner spinner
	yielder yielder
	yield   func() // lets others run
}

// A reader reads packets by one of the ways there are.
type reader interface {
	// read waits for a packet, and appends it and what came with it to pkts. It obeys
	// the conn's read deadline. It may return nothing, and no error, if what it read
	// was unusable.
	read(pkts []Packet) ([]Packet, error)
}

// A poller is a reader that can look for packets without waiting.
type poller interface {
	// poll is read, but for the deadline, which it ignores, and the waiting: where
	// nothing has arrived it returns nothing.
	poll(pkts []Packet) ([]Packet, error)
}

// A writer writes packets by one of the ways there are.
type writer interface {
	// write sends the first n of pkts, of which there is at least one, in order. It may
	// send fewer than all; if it sends none it says why.
	write(pkts []Packet) (n int, err error)
}

// Open ties pc to ctx for one call of a protocol: when ctx ends, a blocked [Conn.Read]
// returns.
//
// The caller keeps owning pc, and closes it, after Release. Until then it leaves pc's
// deadlines and reading alone: Open clears the read deadline that was set before.
func Open(ctx context.Context, pc net.PacketConn, cfg Config) *Conn {
	in, out, undo := paths(pc, &cfg)
	c := open(ctx, pc, in, out)
	c.undo = undo
	c.spinner.time = cfg.Spin
	c.yielder.on = cfg.Yield
	return c
}

func open(ctx context.Context, pc net.PacketConn, in reader, out writer) *Conn {
	c := &Conn{ctx: ctx, local: addrPort(pc.LocalAddr()), in: in, out: out, yield: yielding()}
	c.watch.start(ctx, pc)
	return c
}

// Release ends what Open began: the conn is not tied to the context any more, and its
// deadlines are cleared. It waits for whatever of ours is still under way. The conn
// stays open. A Conn is of no use after Release; a second Release does nothing.
func (c *Conn) Release() {
	c.watch.stop()
	if c.undo != nil {
		c.undo()
		c.undo = nil
	}
}

// LocalAddr is the conn's own address, zero if it has none that is an IP address and
// port.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }
