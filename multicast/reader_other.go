//go:build !linux

package multicast

import (
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// setAll does nothing: only Linux has such an option.
func (s *socket) setAll(bool) error { return nil }

// optional ignores that the system does not tell the destination of packets.
func optional(error) error { return nil }

// A reader reads packets, one at a time. Its methods are for one goroutine.
type reader struct {
	s     *socket
	names names
	infos []Info
}

func newReader(s *socket) (*reader, error) { return &reader{s: s}, nil }

// join reports that packets are not joined: only Linux does that.
func (r *reader) join(bool) bool { return false }

func (r *reader) scratch(int) []Info {
	if r.infos == nil {
		r.infos = make([]Info, 1)
	}
	return r.infos
}

// read waits for a packet.
func (r *reader) read(bufs [][]byte, sizes []int, infos []Info, _ bool) (int, error) {
	var from net.Addr
	var dst net.IP
	index, ttl := 0, -1
	var err error
	if r.s.six() {
		var cm *ipv6.ControlMessage
		if sizes[0], cm, from, err = r.s.v6.ReadFrom(bufs[0]); cm != nil {
			dst, index, ttl = cm.Dst, cm.IfIndex, cm.HopLimit
		}
	} else {
		var cm *ipv4.ControlMessage
		if sizes[0], cm, from, err = r.s.v4.ReadFrom(bufs[0]); cm != nil {
			dst, index, ttl = cm.Dst, cm.IfIndex, cm.TTL
		}
	}
	if err != nil {
		return 0, err
	}
	source, err := addrPort(from)
	if err != nil {
		return 0, err
	}
	to, _ := netip.AddrFromSlice(dst)
	to = to.Unmap()
	infos[0] = Info{Source: source, Destination: to, Interface: r.names.of(index), TTL: ttl, index: index}
	infos[0].broadcast = to.Is4() && r.broadcast(to, index)
	return 1, nil
}

// broadcast reports whether to is a broadcast address of an interface.
func (r *reader) broadcast(to netip.Addr, index int) bool {
	if to == limited {
		return true
	}
	ifi, err := net.InterfaceByIndex(index)
	if err != nil {
		return false
	}
	addrs, _ := ifi.Addrs()
	return isBroadcastOf(to, addrs)
}
