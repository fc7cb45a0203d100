package multicast

import (
	"errors"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// A socket is a UDP socket of either version of IP, with its options. Conns join groups
// on one of their own, and on others that do nothing else when that has no room.
type socket struct {
	udp *net.UDPConn
	v4  *ipv4.PacketConn // nil if it is IPv6
	v6  *ipv6.PacketConn
}

func newSocket(udp *net.UDPConn, six bool) *socket {
	if six {
		return &socket{udp: udp, v6: ipv6.NewPacketConn(udp)}
	}
	return &socket{udp: udp, v4: ipv4.NewPacketConn(udp)}
}

func (s *socket) six() bool { return s.v6 != nil }

// setUp says how packets are sent, and asks to be told what they were sent to.
func (s *socket) setUp(ttl int, loopback bool) error {
	if err := s.setAll(false); err != nil {
		return err
	}
	if s.six() {
		if err := s.v6.SetMulticastHopLimit(ttl); err != nil {
			return err
		}
		if err := s.v6.SetMulticastLoopback(loopback); err != nil {
			return err
		}
		return optional(s.v6.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagDst|ipv6.FlagInterface, true))
	}
	if err := s.v4.SetMulticastTTL(ttl); err != nil {
		return err
	}
	if err := s.v4.SetMulticastLoopback(loopback); err != nil {
		return err
	}
	return optional(s.v4.SetControlMessage(ipv4.FlagTTL|ipv4.FlagDst|ipv4.FlagInterface, true))
}

func (s *socket) setInterface(ifi *net.Interface) error {
	if s.six() {
		return s.v6.SetMulticastInterface(ifi)
	}
	return s.v4.SetMulticastInterface(ifi)
}

// membership is what both versions offer.
type membership interface {
	JoinGroup(ifi *net.Interface, group net.Addr) error
	LeaveGroup(ifi *net.Interface, group net.Addr) error
	JoinSourceSpecificGroup(ifi *net.Interface, group, source net.Addr) error
	ExcludeSourceSpecificGroup(ifi *net.Interface, group, source net.Addr) error
}

func (s *socket) memberships() membership {
	if s.six() {
		return s.v6
	}
	return s.v4
}

// join joins a group, or nothing at all.
func (s *socket) join(ifi *net.Interface, m Membership) error {
	to, group := s.memberships(), ipAddr(m.Group)
	var err error
	rest := m.Include
	if len(m.Include) == 0 {
		err = to.JoinGroup(ifi, group)
	} else {
		err = to.JoinSourceSpecificGroup(ifi, group, ipAddr(m.Include[0]))
		rest = m.Include[1:]
	}
	if err != nil {
		return err
	}
	for _, source := range rest {
		err = errors.Join(err, to.JoinSourceSpecificGroup(ifi, group, ipAddr(source)))
	}
	for _, source := range m.Exclude {
		err = errors.Join(err, to.ExcludeSourceSpecificGroup(ifi, group, ipAddr(source)))
	}
	if err != nil {
		_ = to.LeaveGroup(ifi, group)
	}
	return err
}

// leave leaves a group with all of its sources.
func (s *socket) leave(ifi *net.Interface, group netip.Addr) error {
	return s.memberships().LeaveGroup(ifi, ipAddr(group))
}

func ipAddr(a netip.Addr) *net.UDPAddr { return &net.UDPAddr{IP: a.AsSlice(), Zone: a.Zone()} }
