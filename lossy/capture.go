package lossy

import (
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"sync"
)

// A Capture writes every packet that is judged to a file in the pcapng format,
// which Wireshark, tshark and tcpdump open. NewCapture makes one, and
// [WithCapture] says what it is of.
//
// The file has two interfaces, "passed" and "dropped". A packet is on the one
// that its verdict says, at the time when it was sent (or, for ingress, read),
// and has the verdict, the delay that it was given and its number in the
// flow as a comment. A packet that is dropped later is on both. Times are to
// the nanosecond. The headers around the payload are made up, with addresses as in
// [Packet], a multicast group as the destination if it was sent to one, the
// number as the identification (over IPv4), and checksums that are right even
// if the payload was corrupted.
//
// The same packets at the same times give the same bytes: in a bubble of
// testing/synctest the file of one seed is always the same.
//
// One Capture may be given to several networks and conns.
type Capture struct {
	mu  sync.Mutex
	w   io.Writer
	err error
	buf []byte
}

// NewCapture begins a capture file on w. Every packet is one Write; none is
// buffered, so that nothing is lost when a test panics. The error is that of
// writing the file's header.
func NewCapture(w io.Writer) (*Capture, error) {
	c := &Capture{w: w}
	c.buf = appendFileHeader(c.buf)
	for _, name := range interfaces {
		c.buf = appendInterface(c.buf, name)
	}
	if c.write(); c.err != nil {
		return nil, fmt.Errorf("lossy: NewCapture: %w", c.err)
	}
	return c, nil
}

// Err returns the first error of writing, or nil. After an error the capture
// stops; what is captured goes on.
func (c *Capture) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// WithCapture writes every packet to c, in addition to any [WithTrace]. It
// panics if c is nil.
func WithCapture(c *Capture) Option {
	if c == nil {
		panic("lossy: WithCapture: the Capture is nil")
	}
	return WithTrace(&Trace{Judged: c.judged})
}

// judged writes a packet.
func (c *Capture) judged(e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.buf = appendPacket(c.buf[:0], e)
		c.write()
	}
}

func (c *Capture) write() {
	n, err := c.w.Write(c.buf)
	if err == nil && n < len(c.buf) {
		err = io.ErrShortWrite
	}
	c.err = err
}

// comment says what became of a packet.
func (e Event) comment() string {
	var b []byte
	switch e.Verdict {
	case Dropped:
		b = append(append(b, "dropped: "...), e.Cause...)
	case Delayed:
		b = append(append(b, "delayed "...), e.Delay.String()...)
	default:
		b = append(b, "passed"...)
	}
	b = strconv.AppendInt(append(b, ", packet "...), int64(e.N), 10)
	if e.Copy > 0 {
		b = strconv.AppendInt(append(b, ", copy "...), int64(e.Copy), 10)
	}
	if e.Corrupted {
		b = append(b, ", corrupted"...)
	}
	return string(b)
}

// ends returns the addresses of a packet as its headers are to have them: both
// of the same IP version.
func (e Event) ends() (from, to netip.AddrPort) {
	from, to = e.From, e.To
	if e.Group.IsValid() {
		to = netip.AddrPortFrom(e.Group, to.Port())
	}
	a, b := from.Addr().WithZone(""), to.Addr().WithZone("")
	if !known(a) && b.Is4() || !known(b) && a.Is4() || !known(a) && !known(b) {
		a, b = four(a), four(b)
	} else if a.Is6() || b.Is6() {
		a, b = six(a), six(b)
	}
	return netip.AddrPortFrom(a, from.Port()), netip.AddrPortFrom(b, to.Port())
}

// known reports whether an address says which host it is of.
func known(a netip.Addr) bool { return a.IsValid() && !a.IsUnspecified() }

// four returns a as an IPv4 address, which it is or else unknown.
func four(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	return netip.IPv4Unspecified()
}

// six returns a as an IPv6 address.
func six(a netip.Addr) netip.Addr {
	if !known(a) {
		return netip.IPv6Unspecified()
	}
	return netip.AddrFrom16(a.As16())
}
