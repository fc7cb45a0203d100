package lossy

import (
	"math"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// hosts are the open conns of a network, and the addresses it gives out.
type hosts struct {
	conns map[netip.AddrPort]*Conn
	count map[netip.Addr]int // of the conns at an IP address

	// The last address of each family and the last port given out.
	last4, last6 netip.Addr
	lastPort     uint16
}

// firstPort is the first of the ports that are given out (RFC 6335, section 6:
// the dynamic ports).
const firstPort = 49152

func newHosts() hosts {
	return hosts{
		conns:    make(map[netip.AddrPort]*Conn),
		count:    make(map[netip.Addr]int),
		last4:    netip.AddrFrom4([4]byte{10, 0, 0, 0}),
		last6:    netip.AddrFrom16([16]byte{0xfd}),
		lastPort: firstPort - 1,
	}
}

func (h *hosts) open(c *Conn) {
	h.conns[c.local] = c
	h.count[c.local.Addr()]++
}

func (h *hosts) close(c *Conn) {
	delete(h.conns, c.local)
	ip := c.local.Addr()
	if h.count[ip]--; h.count[ip] == 0 {
		delete(h.count, ip)
	}
}

// choose returns the address that a new conn gets.
func (h *hosts) choose(want netip.AddrPort) (netip.AddrPort, error) {
	ip := want.Addr().Unmap()
	switch {
	case ip.IsMulticast() || ip == broadcast:
		return want, bindError(want, syscall.EADDRNOTAVAIL)
	case !ip.IsValid() || ip == netip.IPv4Unspecified():
		h.last4 = h.unused(h.last4)
		ip = h.last4
	case ip == netip.IPv6Unspecified():
		h.last6 = h.unused(h.last6)
		ip = h.last6
	}
	port := want.Port()
	if port == 0 {
		port = h.freePort(ip)
	}
	a := netip.AddrPortFrom(ip, port)
	if port == 0 || h.conns[a] != nil {
		return a, bindError(a, syscall.EADDRINUSE)
	}
	return a, nil
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// unused returns the first address after a at which no conn is open.
func (h *hosts) unused(a netip.Addr) netip.Addr {
	for {
		if a = a.Next(); h.count[a] == 0 {
			return a
		}
	}
}

// freePort returns a port that no conn at ip has, or 0 if there is none.
func (h *hosts) freePort(ip netip.Addr) uint16 {
	for range math.MaxUint16 - firstPort + 1 {
		if h.lastPort++; h.lastPort < firstPort {
			h.lastPort = firstPort
		}
		if h.conns[netip.AddrPortFrom(ip, h.lastPort)] == nil {
			return h.lastPort
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
