package multicast

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ferrygo/ferry/internal/datagram"
	"golang.org/x/net/ipv4"
)

// A Conn is a UDP socket for groups, a net.PacketConn. [Config.Listen] opens it. Its
// methods may be called by several goroutines at once.
//
// It also reads and writes batches, which all protocols of this library use.
type Conn struct {
	*socket
	cfg    Config
	trace  Trace
	out    atomic.Pointer[net.Interface] // through which packets to groups leave; nil: the route's
	filter atomic.Pointer[filter]

	reading sync.Mutex
	in      *reader

	writing sync.Mutex
	batch   datagram.BatchWriter // nil until the first write
	whole   bool                 // it passes each packet separately
	allowed map[netip.Addr]struct{}
	holds   map[netip.Addr]*holding // with a TTL of 0: the groups sent to

	mu       sync.Mutex
	members  []*member
	holders  []*socket // sockets that joined groups for which the Conn's had no room
	watching bool
	closed   bool
	closing  chan struct{}
	watcher  sync.WaitGroup
}

var (
	_ net.PacketConn       = (*Conn)(nil)
	_ datagram.BatchReader = (*Conn)(nil)
	_ datagram.BatchWriter = (*Conn)(nil)
	_ datagram.Offloader   = (*Conn)(nil)
	_ syscall.Conn         = (*Conn)(nil)
)

// ReadFrom reads one packet: see [Conn.ReadInfo].
func (c *Conn) ReadFrom(b []byte) (n int, addr net.Addr, err error) {
	n, info, err := c.ReadInfo(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(info.Source), nil
}

// ReadInfo reads one packet, and returns what the system tells about it. A packet that is
// longer than b is cut off.
func (c *Conn) ReadInfo(b []byte) (n int, info Info, err error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	var sizes [1]int
	var infos [1]Info
	if _, err := c.read([][]byte{b}, sizes[:], infos[:], true); err != nil {
		return 0, Info{}, err
	}
	return sizes[0], infos[0], nil
}

// ReadBatch waits for one packet, takes the others that have arrived, and fills bufs[:n]
// with sizes[i] bytes from from[i]. The slices have the same length. segments[i] is set to
// 0, as each buffer holds one packet; but see [Conn.Offload]. local may be nil. Otherwise
// local[i] is set to the address of this host that the packet was sent to, or to the zero
// Addr for a group, a broadcast address, or if the system does not tell.
func (c *Conn) ReadBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr) (n int, err error) {
	return c.readBatch(bufs, sizes, segments, from, local, true)
}

func (c *Conn) readBatch(bufs [][]byte, sizes, segments []int, from []netip.AddrPort, local []netip.Addr, wait bool) (n int, err error) {
	if len(bufs) == 0 {
		return 0, nil
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	infos := c.in.scratch(len(bufs))
	if n, err = c.read(bufs, sizes, infos, wait); err != nil {
		return 0, err
	}
	for i := range n {
		segments[i], from[i] = infos[i].segment, infos[i].Source
		if local != nil {
			local[i] = infos[i].local
		}
	}
	return n, nil
}

// Offload sets whether packets of one length for one destination, in a batch that WriteBatch
// is given, may go to the system in one piece (at first they may), and whether ReadBatch may
// fill a buffer with several packets (at first it does not). These have the length
// segments[i]; the last may be shorter. Offload reports whether ReadBatch will do so: only on
// Linux. Buffers must then be 64 KiB long, and nothing else may read the Conn. The packets on
// the wire are the same.
func (c *Conn) Offload(write, read bool) (joined bool) {
	c.reading.Lock()
	joined = c.in.join(read)
	c.reading.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	c.whole = !write
	c.batch = nil // the next write makes another
	return joined
}

// maxPolls bounds how many batches without a wanted packet are read without waiting: more may
// arrive all the time.
const maxPolls = 16

// read reads until it has a packet that is wanted and moves those to the front. If wait is
// not set, it stops when nothing is left.
func (c *Conn) read(bufs [][]byte, sizes []int, infos []Info, wait bool) (kept int, err error) {
	for looks := 0; kept == 0 && (wait || looks < maxPolls); looks++ {
		n, err := c.in.read(bufs, sizes, infos, wait)
		if err != nil {
			return 0, c.opError("read", nil, err)
		}
		if n == 0 {
			break
		}
		f := c.filter.Load()
		for i := range n {
			if !f.wants(&infos[i]) {
				if c.trace.Ignored != nil {
					c.trace.Ignored(infos[i])
				}
				continue
			}
			if kept < i {
				copy(bufs[kept], bufs[i][:min(sizes[i], len(bufs[i]))])
				sizes[kept], infos[kept] = sizes[i], infos[i]
			}
			kept++
		}
	}
	return kept, nil
}

// WriteTo sends a packet to a host, a group or a broadcast address.
func (c *Conn) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, err := addrPort(addr)
	if err == nil {
		err = c.allow(to.Addr())
	}
	if err != nil {
		return 0, c.opError("write", addr, err)
	}
	return c.write(b, to)
}

// write sends one packet.
func (c *Conn) write(b []byte, to netip.AddrPort) (int, error) {
	if ifi := c.out.Load(); ifi != nil && to.Addr() == limited && !c.six() {
		// No route says where to.
		udp := net.UDPAddrFromAddrPort(to)
		n, err := c.v4.WriteTo(b, &ipv4.ControlMessage{IfIndex: ifi.Index}, udp)
		return n, c.opError("write", udp, err)
	}
	n, err := c.udp.WriteToUDPAddrPort(b, to)
	if err != nil {
		err = c.opError("write", net.UDPAddrFromAddrPort(to), err)
	}
	return n, err
}

// WriteBatch sends bufs[i] to to[i], in order, each as one packet. It sends bufs[i] from the
// address local[i] of this host, where the system can; a nil local or a zero local[i] lets
// the system choose. WriteBatch returns the number of packets that were sent. If that is not
// all of them, err is the error of bufs[n].
func (c *Conn) WriteBatch(bufs [][]byte, to []netip.AddrPort, local []netip.Addr) (n int, err error) {
	for _, a := range to[:len(bufs)] {
		if err = c.allow(a.Addr()); err != nil {
			err = c.opError("write", net.UDPAddrFromAddrPort(a), err)
			break
		}
		if a.Addr() == limited {
			break
		}
		n++
	}
	// The packets before the first that is special go as one batch.
	if n, err2 := c.writeAll(bufs[:n], to[:n], local); err2 != nil {
		return n, err2
	}
	if err != nil || n == len(bufs) {
		return n, err
	}
	if _, err := c.write(bufs[n], to[n]); err != nil {
		return n, err
	}
	if local != nil {
		local = local[n+1:]
	}
	more, err := c.WriteBatch(bufs[n+1:], to[n+1:], local)
	return n + 1 + more, err
}

// writeAll sends packets that need nothing special.
func (c *Conn) writeAll(bufs [][]byte, to []netip.AddrPort, local []netip.Addr) (n int, err error) {
	if len(bufs) == 0 {
		return 0, nil
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.batch == nil {
		if c.batch = datagram.NewSocketWriter(c.udp, !c.whole); c.batch == nil {
			c.batch = oneByOne{c}
		}
	}
	return c.batch.WriteBatch(bufs, to, local)
}

// oneByOne writes batches where the system cannot.
type oneByOne struct{ *Conn }

func (w oneByOne) WriteBatch(bufs [][]byte, to []netip.AddrPort, _ []netip.Addr) (int, error) {
	for i, b := range bufs {
		if _, err := w.write(b, to[i]); err != nil {
			return i, err
		}
	}
	return len(bufs), nil
}

// anywhere is an unspecified address of c's version of IP.
func (c *Conn) anywhere() netip.AddrPort {
	if c.six() {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
}

// Close leaves all groups and closes the socket. It returns when the goroutine that
// watches the interfaces has ended.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return c.opError("close", nil, net.ErrClosed)
	}
	c.closed = true
	close(c.closing)
	c.mu.Unlock()
	c.watcher.Wait()
	err := c.udp.Close()
	for _, s := range c.holders { // no Join adds to them any more
		s.udp.Close()
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.holdNothing()
	return err
}

// LocalAddr returns the address that the socket is bound to.
func (c *Conn) LocalAddr() net.Addr { return c.udp.LocalAddr() }

// SetDeadline implements net.PacketConn.
func (c *Conn) SetDeadline(t time.Time) error { return c.udp.SetDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.udp.SetReadDeadline(t) }

// SetWriteDeadline implements net.PacketConn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.udp.SetWriteDeadline(t) }

// SetReadBuffer sets the size of the system's receive buffer, in bytes.
func (c *Conn) SetReadBuffer(bytes int) error { return c.udp.SetReadBuffer(bytes) }

// SetWriteBuffer sets the size of the system's send buffer, in bytes.
func (c *Conn) SetWriteBuffer(bytes int) error { return c.udp.SetWriteBuffer(bytes) }

// SyscallConn returns the system's socket, for options that Config does not have. On Linux
// the protocols of this library read the sizes of the buffers through it. Reads and writes
// through it bypass the Config.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.udp.SyscallConn() }

// addrPort is the IP address and port of a, unmapped.
func addrPort(a net.Addr) (netip.AddrPort, error) {
	udp, ok := a.(*net.UDPAddr)
	if !ok || udp == nil || !udp.AddrPort().IsValid() {
		return netip.AddrPort{}, errNoAddr
	}
	ap := udp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
}

// opError returns err in the form that the net package uses for UDP.
func (c *Conn) opError(op string, to net.Addr, err error) error {
	if err == nil {
		return nil
	}
	var inner *net.OpError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return &net.OpError{Op: op, Net: "udp", Source: c.udp.LocalAddr(), Addr: to, Err: err}
}
