package lossy

import (
	"math"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// conns are the open conns of a network by address, and the addresses it
// gives out.
type conns struct {
	open map[netip.AddrPort]*Conn

	// The last address given out of each family, and the last port.
	last4, last6 netip.Addr
	lastPort     uint16
}

func newConns() conns {
	return conns{
		open:     make(map[netip.AddrPort]*Conn),
		last4:    netip.AddrFrom4([4]byte{10, 0, 0, 0}),
		last6:    netip.AddrFrom16([16]byte{0: 0xfd, 15: 0}),
		lastPort: firstPort - 1,
	}
}

// firstPort is the first of the ports that are given out (RFC 6335, section 6:
// the dynamic ports).
const firstPort = 49152

// at returns the conn at an address, or nil.
func (s *conns) at(a netip.AddrPort) *Conn { return s.open[a] }

// choose returns the address a new conn is to have.
func (s *conns) choose(want netip.AddrPort) (netip.AddrPort, error) {
	ip := want.Addr().Unmap()
	switch {
	case ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return want, bindError(want, syscall.EADDRNOTAVAIL)
	case !ip.IsValid() || ip == netip.IPv4Unspecified():
		s.last4 = s.unused(s.last4)
		ip = s.last4
	case ip == netip.IPv6Unspecified():
		s.last6 = s.unused(s.last6)
		ip = s.last6
	}
	port := want.Port()
	if port == 0 {
		port = s.freePort(ip)
	}
	a := netip.AddrPortFrom(ip, port)
	if port == 0 || s.open[a] != nil {
		return a, bindError(a, syscall.EADDRINUSE)
	}
	return a, nil
}

// unused returns the first address after a at which no conn is open.
func (s *conns) unused(a netip.Addr) netip.Addr {
	taken := make(map[netip.Addr]bool)
	for at := range s.open {
		taken[at.Addr()] = true
	}
	for a = a.Next(); taken[a]; a = a.Next() {
	}
	return a
}

// freePort returns a port that no conn at ip has, or 0 if there is none.
func (s *conns) freePort(ip netip.Addr) uint16 {
	for range math.MaxUint16 - firstPort + 1 {
		s.lastPort++
		if s.lastPort < firstPort {
			s.lastPort = firstPort
		}
		if s.open[netip.AddrPortFrom(ip, s.lastPort)] == nil {
			return s.lastPort
		}
	}
	return 0
}

// bindError is what a socket fails with when it cannot have an address.
func bindError(a netip.AddrPort, errno syscall.Errno) error {
	return &net.OpError{
		Op: "listen", Net: "udp", Addr: net.UDPAddrFromAddrPort(a),
		Err: os.NewSyscallError("bind", errno),
	}
}
