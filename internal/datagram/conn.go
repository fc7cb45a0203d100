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
	maxBatch        = 1024 // what Linux takes in one call (UIO_MAXIOV)
)

// A Config says how a [Conn] reads and writes. The zero value is ready to use.
type Config struct {
	// ReadSize is the length of the longest datagram that the protocol expects, 65535 by
	// default. A longer one is delivered cut off to ReadSize+1 bytes, so that the
	// protocol can tell it by its length. The first Read allocates Batch*(ReadSize+1)
	// bytes at most: a protocol that knows the size of its packets should set this.
	ReadSize int

	// Batch is how many packets one system call handles, 32 by default, 1024 at most.
	// With Join, a smaller value may be raised to 16.
	Batch int

	// Local has Read set [Packet.Local], for a server that answers from the address that
	// it was asked at. It works on Linux, with sockets and with conns that forward it.
	Local bool

	// Join lets the system deliver the datagrams of one source in one piece, where it
	// can (UDP_GRO on Linux), for a conn with much traffic. The buffers are then 64 KiB
	// long, and fewer, but there may be 16 if packets arrive that cannot be joined.
	// Only this package may read the conn between Open and Release.
	Join bool

	// NoOffload reads and writes each datagram separately. Otherwise datagrams of one
	// length for one destination go to the system in one piece, where it can cut them
	// apart (UDP_SEGMENT on Linux). A packet filter on this host may see such a piece as
	// one packet.
	NoOffload bool

	// Spin is how long a Read polls before it sleeps, while that proves useful. It is for
	// a lock-step protocol, whose round trip on a fast network is shorter than the time
	// to wake up. Between two polls other processes may use the processor. It works on
	// sockets, on Linux.
	Spin time.Duration

	// Yield has a Read that follows one of few packets yield the processor before it
	// polls and sleeps, so that more packets arrive per Read. If another process keeps
	// the processor for long, Read does not yield for a while. It works on sockets, on
	// Linux.
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
	return min(c.Batch, maxBatch)
}

// A Conn reads and writes the datagrams of a net.PacketConn for one call of a protocol.
// [Open] makes it, and [Conn.Release] ends it.
//
// One goroutine may read while another writes. [Conn.Wake] may be called by any goroutine.
type Conn struct {
	ctx    context.Context
	watch  watch
	local  netip.AddrPort
	socket bool // a *net.UDPConn
	in     reader
	out    writer
	undo   func()   // what Release does to the socket; may be nil
	pkts   []Packet // what the last Read returned

	spinner spinner
	yielder yielder
	yield   func() // yields the processor
}

// A reader is one of the ways to read packets.
type reader interface {
	// read waits for a packet, and appends it and the others that have arrived to pkts.
	// The conn's read deadline applies. It may return nothing, and no error, if what it
	// read was unusable.
	read(pkts []Packet) ([]Packet, error)
}

// A poller is a reader that can read without waiting.
type poller interface {
	// poll is like read, but it ignores the deadline and does not wait: it returns
	// nothing if nothing has arrived.
	poll(pkts []Packet) ([]Packet, error)
}

// A writer is one of the ways to write packets.
type writer interface {
	// write sends the first n of pkts, of which there is at least one, in order. If it
	// sends none it returns an error.
	write(pkts []Packet) (n int, err error)
}

// Open ties pc to ctx for one call of a protocol: when ctx ends, a blocked [Conn.Read]
// returns.
//
// The caller owns pc and closes it, after Release. Until then only this package sets
// pc's deadlines and reads it. Open clears the read deadline.
func Open(ctx context.Context, pc net.PacketConn, cfg Config) *Conn {
	in, out, undo := paths(pc, &cfg)
	c := open(ctx, pc, in, out)
	c.undo = undo
	_, c.socket = pc.(*net.UDPConn)
	c.spinner.time = cfg.Spin
	c.yielder.on = cfg.Yield
	return c
}

func open(ctx context.Context, pc net.PacketConn, in reader, out writer) *Conn {
	c := &Conn{ctx: ctx, local: addrPort(pc.LocalAddr()), in: in, out: out, yield: yielding()}
	c.watch.start(ctx, pc)
	return c
}

// Release unties the conn from the context, waits until that is done, and clears the
// deadlines. The conn stays open. A Conn cannot be used after Release; a second
// Release does nothing.
func (c *Conn) Release() {
	c.watch.stop()
	if c.undo != nil {
		c.undo()
		c.undo = nil
	}
}

// LocalAddr returns the conn's own address, zero if that is not an IP address and port.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

// Wake has the Read that is blocked, or else the next Read, return no packets and no error.
// Several calls of Wake before that Read count as one. Any goroutine may call it, until
// Release returns.
func (c *Conn) Wake() { c.watch.wake() }
