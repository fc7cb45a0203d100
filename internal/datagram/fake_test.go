package datagram

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"
)

// An arrival is what one read of a fakeConn finds: a packet, or an error.
type arrival struct {
	data string
	from net.Addr
	err  error
	n    int // if not 0, what the read claims to be the length
}

// A fakeConn is a net.PacketConn in memory. A script says what arrives, writes are recorded,
// and deadlines work in virtual time.
type fakeConn struct {
	mu            sync.Mutex
	changed       chan struct{} // closed, and made anew, when anything below changes
	arrivals      []arrival
	forever       error // what every read returns, when arrivals are used up
	deadline      time.Time
	writeDeadline time.Time
	closed        bool
	full          bool // writes wait

	reads     int
	deadlines []time.Time // all that were set
	sent      []Packet
	writeErrs []error // of the next writes
}

func newFakeConn(arrivals ...arrival) *fakeConn {
	return &fakeConn{changed: make(chan struct{}), arrivals: arrivals}
}

// change runs f, and wakes what waits.
func (c *fakeConn) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *fakeConn) arrive(a ...arrival) {
	c.change(func() { c.arrivals = append(c.arrivals, a...) })
}

// wait runs ready, with the lock held, until it reports true, the deadline passes or
// the conn is closed.
func (c *fakeConn) wait(deadline *time.Time, ready func() bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.closed {
			return net.ErrClosed
		}
		var expired <-chan time.Time
		if d := *deadline; !d.IsZero() {
			left := time.Until(d)
			if left <= 0 {
				return os.ErrDeadlineExceeded
			}
			t := time.NewTimer(left)
			defer t.Stop()
			expired = t.C
		}
		if ready() {
			return nil
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-expired:
		}
		c.mu.Lock()
	}
}

func (c *fakeConn) ReadFrom(b []byte) (n int, from net.Addr, err error) {
	errWait := c.wait(&c.deadline, func() bool {
		if len(c.arrivals) == 0 {
			err = c.forever
			c.reads++
			return err != nil
		}
		c.reads++
		a := c.arrivals[0]
		c.arrivals = c.arrivals[1:]
		n, from, err = copy(b, a.data), a.from, a.err
		if a.n != 0 {
			n = a.n
		}
		return true
	})
	if errWait != nil {
		return 0, nil, errWait
	}
	return n, from, err
}

func (c *fakeConn) WriteTo(b []byte, to net.Addr) (n int, err error) {
	errWait := c.wait(&c.writeDeadline, func() bool {
		if c.full {
			return false
		}
		if len(c.writeErrs) > 0 {
			err = c.writeErrs[0]
			c.writeErrs = c.writeErrs[1:]
		}
		if err == nil {
			n = len(b)
			c.sent = append(c.sent, Packet{Data: append([]byte(nil), b...), Addr: addrPort(to)})
		}
		return true
	})
	if errWait != nil {
		return 0, errWait
	}
	return n, err
}

func (c *fakeConn) Close() error {
	c.change(func() { c.closed = true })
	return nil
}

func (c *fakeConn) LocalAddr() net.Addr { return udpAddr("10.0.0.1:1") }

func (c *fakeConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *fakeConn) SetReadDeadline(t time.Time) error {
	c.change(func() {
		c.deadline = t
		c.deadlines = append(c.deadlines, t)
	})
	return nil
}

func (c *fakeConn) SetWriteDeadline(t time.Time) error {
	c.change(func() { c.writeDeadline = t })
	return nil
}

func udpAddr(s string) *net.UDPAddr { return net.UDPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

// from is a packet that arrives from a host.
func from(host, data string) arrival { return arrival{data: data, from: udpAddr(host)} }

// texts are the data of packets.
func texts(pkts []Packet) []string {
	var all []string
	for _, p := range pkts {
		all = append(all, string(p.Data))
	}
	return all
}

// loopback opens a UDP socket, or skips the test where the system has none of that
// kind.
func loopback(t testing.TB, network, addr string) *net.UDPConn {
	t.Helper()
	pc, err := net.ListenPacket(network, addr)
	if err != nil {
		t.Skipf("no socket: %v", err)
	}
	t.Cleanup(func() { pc.Close() })
	return pc.(*net.UDPConn)
}
