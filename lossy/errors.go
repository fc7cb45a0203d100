package lossy

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
)

var errMissingAddress = errors.New("missing address")

// opError is what the net package wraps the errors of a UDP socket in.
func (c *Conn) opError(op string, addr net.Addr, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.LocalAddr(), Addr: addr, Err: err}
}

// maxPayload is the longest a UDP datagram to an address can be: 65535 bytes
// less a UDP header and, for IPv4 only, an IP header (RFC 768, RFC 791 section
// 3.1, RFC 8200 section 3).
func maxPayload(to netip.Addr) int {
	if to.Is4() || to.Is4In6() {
		return 65535 - 20 - 8
	}
	return 65535 - 8
}

// destination returns where a datagram to an address goes, or the error of a
// socket that cannot send there.
func (c *Conn) destination(to netip.AddrPort) (netip.AddrPort, error) {
	ip := to.Addr().Unmap()
	switch {
	case !ip.IsValid() || ip.IsUnspecified():
		// The net package and the kernel take no address for this host.
		ip = c.local.Addr()
	case ip.Is4() && !c.local.Addr().Is4():
		return to, &net.AddrError{Err: "non-IPv6 address", Addr: ip.String()}
	case ip.Is6() && !c.local.Addr().Is6():
		return to, &net.AddrError{Err: "non-IPv4 address", Addr: ip.String()}
	}
	if to.Port() == 0 {
		return to, os.NewSyscallError("sendto", syscall.EINVAL)
	}
	return netip.AddrPortFrom(ip, to.Port()), nil
}
