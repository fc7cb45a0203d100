package lossy

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// WriteTo sends one datagram to addr, which must be a *net.UDPAddr.
func (c *Conn) WriteTo(b []byte, addr net.Addr) (int, error) {
	a, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, c.opError("write", addr, syscall.EINVAL)
	}
	if a == nil {
		return 0, c.opError("write", nil, errMissingAddress)
	}
	return c.WriteToUDPAddrPort(b, a.AddrPort())
}

var errMissingAddress = errors.New("missing address")

// WriteToUDPAddrPort is WriteTo for a netip.AddrPort.
func (c *Conn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	now := c.network.enter()
	defer c.network.leave()
	if err := c.write(b, to, now); err != nil {
		return 0, err
	}
	return len(b), nil
}

// WriteBatch sends bufs[i] to to[i] in order, each as one datagram. It
// returns how many were sent; if those are not all, the error is about the
// next. A Conn has one address, so that the last argument is ignored.
func (c *Conn) WriteBatch(bufs [][]byte, to []netip.AddrPort, _ []netip.Addr) (n int, err error) {
	now := c.network.enter()
	defer c.network.leave()
	for i, b := range bufs {
		if err := c.write(b, to[i], now); err != nil {
			return i, err
		}
	}
	return len(bufs), nil
}

// write sends one datagram. The network is locked.
func (c *Conn) write(b []byte, to netip.AddrPort, now time.Duration) error {
	err := c.writable(now)
	if err == nil {
		to, err = c.destination(to, len(b))
	}
	if err != nil {
		return c.opError("write", net.UDPAddrFromAddrPort(to), err)
	}
	n := c.network
	n.send(c, n.chain.flows.get(flowKey{c.local, to}), b, now)
	return nil
}

// destination returns where a datagram of size bytes to an address goes, or
// the error of a socket that cannot send it there.
func (c *Conn) destination(to netip.AddrPort, size int) (netip.AddrPort, error) {
	ip := to.Addr().Unmap()
	switch {
	case !ip.IsValid() || ip.IsUnspecified():
		// The net package and Linux take no address for this host.
		ip = c.local.Addr()
	case c.network.mixed:
	case ip.Is4() && !c.local.Addr().Is4():
		return to, &net.AddrError{Err: "non-IPv6 address", Addr: ip.String()}
	case ip.Is6() && !c.local.Addr().Is6():
		return to, &net.AddrError{Err: "non-IPv4 address", Addr: ip.String()}
	}
	switch {
	case to.Port() == 0:
		return to, os.NewSyscallError("sendto", syscall.EINVAL)
	case size > maxPayload(ip):
		return to, os.NewSyscallError("sendto", syscall.EMSGSIZE)
	}
	return netip.AddrPortFrom(ip, to.Port()), nil
}

// maxPayload is the longest that a UDP datagram to an address can be: 65535
// bytes less a UDP header and, with IPv4 only, an IP header (RFC 768; RFC 791,
// section 3.1; RFC 8200, section 3).
func maxPayload(to netip.Addr) int {
	if to.Is6() && !to.Is4In6() {
		return 65535 - 8
	}
	return 65535 - 20 - 8
}
