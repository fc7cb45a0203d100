package conntest

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// window is how many datagrams a pipe may have on their way: few enough for
// the receive queue of a real socket.
const window = 32

// Pipe joins two conns, which lose nothing while they are read and keep the
// order, to a pair of net.Conns. Every write is one datagram and waits while
// the other end has many to read, as a stream would; an empty datagram tells
// the other end that no more will come.
func Pipe(a, b net.PacketConn) (net.Conn, net.Conn) {
	ab, ba := make(chan struct{}, window), make(chan struct{}, window)
	return newEnd(a, b.LocalAddr(), ab, ba), newEnd(b, a.LocalAddr(), ba, ab)
}

// An end is one end of a pipe.
type end struct {
	net.PacketConn
	peer   net.Addr
	out    chan struct{} // has an element for each datagram that the peer has not read
	in     chan struct{} // the peer's out
	ended  atomic.Bool   // the peer will send no more
	expiry expiry        // of writes
	closed chan struct{}
	once   sync.Once
}

func newEnd(pc net.PacketConn, peer net.Addr, out, in chan struct{}) *end {
	c := &end{PacketConn: pc, peer: peer, out: out, in: in, closed: make(chan struct{})}
	c.expiry.passed = make(chan struct{})
	return c
}

func (c *end) RemoteAddr() net.Addr { return c.peer }

func (c *end) Read(b []byte) (int, error) {
	if c.ended.Load() {
		return 0, io.EOF
	}
	n, _, err := c.ReadFrom(b)
	if err != nil {
		return n, err
	}
	if n == 0 {
		c.ended.Store(true)
		c.SetReadDeadline(longAgo()) // wakes the other readers
		return 0, io.EOF
	}
	<-c.in
	return n, nil
}

func (c *end) Write(b []byte) (int, error) {
	select {
	case c.out <- struct{}{}:
	case <-c.closed:
	case <-c.expiry.wait():
		return 0, &net.OpError{Op: "write", Net: "udp", Err: os.ErrDeadlineExceeded}
	}
	n, err := c.WriteTo(b, c.peer)
	if err != nil {
		select {
		case <-c.out: // it is not on its way
		default:
		}
	}
	return n, err
}

// Close tells the other end that no more data will come. Closing an end again is not an
// error, as with net.Pipe.
func (c *end) Close() (err error) {
	c.once.Do(func() {
		close(c.closed)
		c.PacketConn.SetWriteDeadline(time.Time{})
		c.WriteTo(nil, c.peer)
		err = c.PacketConn.Close()
	})
	return err
}

func (c *end) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *end) SetWriteDeadline(t time.Time) error {
	c.expiry.set(t)
	return c.PacketConn.SetWriteDeadline(t)
}

// An expiry is a deadline that can be waited for.
type expiry struct {
	mu     sync.Mutex
	timer  *time.Timer
	passed chan struct{} // closed when it has passed
}

// wait returns a channel that is closed when the deadline passes.
func (x *expiry) wait() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.passed
}

func (x *expiry) set(t time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.timer != nil && !x.timer.Stop() {
		<-x.passed // its function is about to close this
	}
	x.timer = nil
	select {
	case <-x.passed:
		x.passed = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	passed := x.passed
	x.timer = time.AfterFunc(time.Until(t), func() { close(passed) })
}
